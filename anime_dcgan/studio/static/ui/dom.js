/** Elements, made in a line. Text is always text: nothing here reads HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: `element("button.quiet", {type: "button", onclick: act}, "Save")`.
 *
 * Attributes that start with "on" are listeners, `data` and `style` are objects, true is an
 * attribute without a value, and false, null and undefined leave an attribute out.
 */
export function element(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  return fill(made, attributes, children);
}

/** The same for what is drawn. */
export function drawn(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(made, name, value);
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

function setAttribute(made, name, value) {
  if (value == null || value === false) return;
  if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
  else if (name === "data") Object.assign(made.dataset, value);
  else if (name === "style") for (const key in value) made.style.setProperty(key, value[key]);
  else if (name === "value") made.value = value;
  else made.setAttribute(name, value === true ? "" : value);
}

/** A button that does something and sends nothing. */
export function button(text, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, text);
}

/** A control with its words in front. */
export function labelled(text, control, after) {
  return element("label.field", {}, element("span", {}, text), control, after);
}

/** A list to choose one from; `options` are [value, text] pairs. */
export function choice(options, value, onchange, attributes = {}) {
  const made = element("select", { onchange: () => onchange(made.value), ...attributes });
  made.append(...options.map(([key, text]) => element("option", { value: key }, text)));
  made.value = value;
  return made;
}

/** A slider that shows its value beside it; `oninput` while it moves, `onchange` when it rests. */
export function range(text, { value, format = String, oninput = () => {}, onchange, ...limits }) {
  const shown = element("output", {}, format(Number(value)));
  const input = element("input", { type: "range", ...limits, value });
  input.value = value;
  const show = () => (shown.textContent = format(Number(input.value)));
  input.addEventListener("input", () => (show(), oninput(Number(input.value))));
  if (onchange) input.addEventListener("change", () => onchange(Number(input.value)));
  const made = labelled(text, input, shown);
  made.set = (next) => ((input.value = next), show());
  return made;
}

/** A box for a line of text that acts on Enter and when it is left. */
export function numberBox(text, value, onchange, limits) {
  const input = element("input", { type: "number", inputmode: "numeric", ...limits, value });
  input.addEventListener("change", () => input.reportValidity() && onchange(Number(input.value)));
  return labelled(text, input);
}

/** A button that opens a panel; it closes on Escape, and by a click elsewhere. */
export function menu(text, ...children) {
  const panel = element("div.panel", {}, ...children);
  const made = element("details.menu", {}, element("summary", {}, text), panel);
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !made.open) return;
    event.stopPropagation();
    made.open = false;
    made.firstChild.focus();
  });
  return made;
}

/** Close each menu that a click is outside of. */
export function closeMenus(event) {
  for (const open of document.querySelectorAll("details.menu[open]"))
    if (!open.contains(event.target)) open.open = false;
}

/** Free the address of a picture that leaves the page, if any, late enough for what still loads it. */
export const release = (address) => address && setTimeout(() => URL.revokeObjectURL(address), 5000);

/** "1 face", "3 faces". */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
