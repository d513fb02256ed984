// @ts-check
/** Sliders along the directions of a generator, which users can name. */

import { getDirections, nameDirection } from "../state/api.js";
import { announce, notifyError } from "../state/messages.js";
import { button, element } from "./dom.js";

/** @import { Direction, Generator } from "../state/types.d.ts" */

/** @typedef {(id: string, step: number, released: boolean) => void} OnMove */
/** @typedef {HTMLElement & { id: string, set: (step: number) => void }} DirectionSlider */

/** @type {[method: string, title: string, hint: string][]} */
const METHODS = [
  ["sefa", "SeFa directions", "Computed from the weights of the generator"],
  ["pca", "PCA directions", "Computed from generated faces"],
];
const STEP = 0.05;
const PER_PAGE = 10;

/**
 * Return sliders for all directions of a generator.
 *
 * @param {Generator} generator
 * @param {OnMove} onMove
 */
export function directionSliders(generator, onMove) {
  const controller = new AbortController();
  /** @type {Map<string, DirectionSlider>} */
  const sliders = new Map();
  /** @type {Record<string, number>} */
  let moves = {};
  /** @param {DirectionSlider} slider */
  const register = (slider) => {
    sliders.set(slider.id, slider);
    slider.set(moves[slider.id] ?? 0);
  };
  const sections = METHODS.map(([method, title, hint]) => {
    const load = (/** @type {number} */ count) =>
      getDirections(generator, method, count, controller.signal);
    /** @type {(direction: Direction, range: number) => DirectionSlider} */
    const create = (direction, range) => directionSlider(generator, direction, range, onMove);
    return directionList(title, hint, load, create, register);
  });
  return {
    root: element("div.sliders", {}, ...sections),
    /** @param {Record<string, number>} next steps by the id of the direction */
    set(next) {
      moves = next;
      for (const [id, slider] of sliders) slider.set(moves[id] ?? 0);
    },
    leave: () => controller.abort(),
  };
}

/**
 * @param {string} title
 * @param {string} hint
 * @param {(count: number) => Promise<{ directions: Direction[], range: number }>} load
 * @param {(direction: Direction, range: number) => DirectionSlider} create
 * @param {(slider: DirectionSlider) => void} register
 */
function directionList(title, hint, load, create, register) {
  const list = element("div.slider-list");
  let count = 0;
  const loadMore = async () => {
    try {
      count += PER_PAGE;
      const { directions, range } = await load(count);
      const added = directions.slice(list.childElementCount).map((one) => create(one, range));
      added.forEach(register);
      list.append(...added);
      more.hidden = directions.length < count;
    } catch (error) {
      notifyError(error);
    }
  };
  const more = button("More", loadMore);
  loadMore();
  const heading = element("h2", { title: hint }, title);
  return element("section", { "aria-label": title }, heading, list, more);
}

/**
 * @param {Generator} generator
 * @param {Direction} direction
 * @param {number} range largest step, in standard deviations
 * @param {OnMove} onMove
 * @returns {DirectionSlider}
 */
function directionSlider(generator, direction, range, onMove) {
  const { id, strength } = direction;
  const shown = element("output");
  const input = element("input", { type: "range", min: -range, max: range, step: STEP });
  /** @param {boolean} released */
  const move = (released) => {
    shown.textContent = formatStep(Number(input.value));
    onMove(id, Number(input.value), released);
  };
  input.addEventListener("input", () => move(false));
  input.addEventListener("change", () => move(true));
  input.addEventListener("dblclick", () => {
    input.value = "0";
    move(true);
  });
  const attributes = { data: { id }, title: `${(strength * 100).toFixed(1)}% of the variance` };
  const root = element(
    "div.slider",
    attributes,
    nameButton(generator, direction, input),
    input,
    shown,
  );
  /** @param {number} step */
  const set = (step) => {
    input.value = String(step);
    shown.textContent = formatStep(step);
  };
  return Object.assign(root, { id, set });
}

/** @param {number} step */
function formatStep(step) {
  return step === 0 ? "0" : `${step > 0 ? "+" : "−"}${Math.abs(step).toFixed(2)}`;
}

/**
 * Return the name of a direction, which a click edits in place.
 *
 * @param {Generator} generator
 * @param {Direction} direction its name is updated
 * @param {HTMLInputElement} input labelled with the name
 */
function nameButton(generator, direction, input) {
  const [method, index] = direction.id.split(".");
  const defaultName = `${method === "sefa" ? "SeFa" : "PCA"} ${Number(index) + 1}`;
  const created = button("", () => editInPlace(created, direction.name, defaultName, save), {
    class: "name",
    title: "Rename",
  });
  /** @param {string | null} name */
  function show(name) {
    direction.name = name;
    const text = name ?? defaultName;
    created.textContent = text;
    created.classList.toggle("named", name != null);
    input.setAttribute("aria-label", text);
  }
  /** @param {string | null} name */
  async function save(name) {
    const before = direction.name;
    if (name === before) return;
    show(name);
    try {
      await nameDirection(generator, direction.id, name);
      announce("Name saved");
    } catch (error) {
      show(before);
      notifyError(error);
    }
  }
  show(direction.name);
  return created;
}

/**
 * Replace a button by a text box until Enter, Escape or a click elsewhere.
 *
 * @param {HTMLElement} button
 * @param {string | null} name
 * @param {string} defaultName
 * @param {(name: string | null) => void} save called with null for an empty name
 */
function editInPlace(button, name, defaultName, save) {
  const box = element("input", {
    type: "text",
    maxlength: 60,
    value: name ?? "",
    placeholder: defaultName,
    "aria-label": `Name of ${defaultName}`,
  });
  button.replaceWith(box);
  box.focus();
  box.select();
  let ended = false; // removing the box fires blur as well
  /** @param {boolean} saves */
  const end = (saves) => {
    if (ended) return;
    ended = true;
    box.replaceWith(button);
    button.focus();
    if (saves) save(box.value.trim() || null);
  };
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") end(true);
    if (event.key === "Escape") end(false);
  });
  box.addEventListener("blur", () => end(true));
}
