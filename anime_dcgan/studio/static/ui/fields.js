// @ts-check
/** Form fields with a label. */

import { element } from "./dom.js";

/** @import { Attributes, Child } from "./dom.js" */

/**
 * Return a control with a label in front of it.
 *
 * @param {string} text
 * @param {Child[]} controls
 */
export function labelled(text, ...controls) {
  return element("label.field", {}, element("span", {}, text), ...controls);
}

/**
 * Return a dropdown list.
 *
 * @param {[value: string | number, text: string][]} options
 * @param {string | number} value
 * @param {(value: string) => unknown} onchange
 * @param {Attributes} [attributes]
 */
export function dropdown(options, value, onchange, attributes = {}) {
  const created = element("select", attributes);
  created.addEventListener("change", () => onchange(created.value));
  created.append(...options.map(([value, text]) => element("option", { value }, text)));
  created.value = String(value);
  return created;
}

/**
 * Return a labelled slider that shows its value.
 *
 * @param {string} text
 * @param {object} options
 * @param {number} options.min
 * @param {number} options.max
 * @param {number} options.step
 * @param {number} options.value
 * @param {(value: number) => string} [options.format]
 * @param {(value: number) => unknown} [options.oninput] called while the slider moves
 * @param {(value: number) => unknown} [options.onchange] called when it is released
 */
export function slider(text, { min, max, step, value, format = String, oninput, onchange }) {
  const shown = element("output", {}, format(value));
  const input = element("input", { type: "range", min, max, step, value });
  const show = () => (shown.textContent = format(Number(input.value)));
  input.addEventListener("input", () => {
    show();
    oninput?.(Number(input.value));
  });
  input.addEventListener("change", () => onchange?.(Number(input.value)));
  /** @param {number | string} next */
  const set = (next) => {
    input.value = String(next);
    show();
  };
  set(value);
  return Object.assign(labelled(text, input, shown), { input, set });
}

/**
 * Return a labelled input for an integer.
 *
 * @param {string} text
 * @param {{ min: number, max: number }} limits
 * @param {(value: number) => unknown} onchange called with valid numbers only
 */
export function numberBox(text, limits, onchange) {
  const input = element("input", { type: "number", inputmode: "numeric", step: 1, ...limits });
  input.addEventListener("change", () => input.reportValidity() && onchange(Number(input.value)));
  return Object.assign(labelled(text, input), { input });
}

/**
 * Format a number with two decimals.
 *
 * @param {number} value
 */
export const twoDecimals = (value) => value.toFixed(2);
