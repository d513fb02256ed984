// @ts-check
/** Concise creation of elements. Strings become text nodes: no HTML is parsed. */

/** @typedef {Node | string | false | null | undefined} Child */

/**
 * Attributes of an element. Functions under "on..." are listeners, true is an attribute without a
 * value, and false, null and undefined omit the attribute.
 *
 * @typedef {object} KnownAttributes
 * @property {(event: MouseEvent) => unknown} [onclick]
 * @property {(event: Event) => unknown} [oninput]
 * @property {(event: Event) => unknown} [onchange]
 * @property {Record<string, string | number>} [data]
 * @property {Record<string, string>} [style]
 *
 * @typedef {KnownAttributes & Record<string, unknown>} Attributes
 */

/**
 * @template {string} Name
 * @typedef {Name extends `${infer Tag}.${string}` ? TagElement<Tag> : TagElement<Name>} ElementOf
 */

/**
 * @template {string} Tag
 * @typedef {Tag extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[Tag] : HTMLElement} TagElement
 */

/**
 * Return a new element: `element("button.quiet", { onclick: act }, "Save")`.
 *
 * @template {string} Name
 * @param {Name} name tag and classes
 * @param {Attributes} [attributes]
 * @param {(Child | Child[])[]} children
 * @returns {ElementOf<Name>}
 */
export function element(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const created = document.createElement(tag);
  if (classes.length) created.className = classes.join(" ");
  return /** @type {ElementOf<Name>} */ (fill(created, attributes, children));
}

/**
 * Return a new SVG element.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {(Child | Child[])[]} children
 */
export function svgElement(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/**
 * @template {HTMLElement | SVGElement} Created
 * @param {Created} created
 * @param {Attributes} attributes
 * @param {(Child | Child[])[]} children
 */
function fill(created, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(created, name, value);
  created.append(...children.flat().filter(isPresent));
  return created;
}

/**
 * @param {Child} child
 * @returns {child is Node | string}
 */
function isPresent(child) {
  return child != null && child !== false;
}

/**
 * @param {HTMLElement | SVGElement} created
 * @param {string} name
 * @param {unknown} value
 */
function setAttribute(created, name, value) {
  if (value == null || value === false) return;
  if (typeof value === "function")
    created.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
  else if (name === "data") Object.assign(created.dataset, value);
  else if (name === "style")
    for (const [property, setting] of Object.entries(value))
      created.style.setProperty(property, setting);
  else if (name === "value" && "value" in created) created.value = value;
  else created.setAttribute(name, value === true ? "" : String(value));
}

/**
 * Return the element of index.html with this id.
 *
 * @param {string} id
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * Return a button that submits no form.
 *
 * @param {string} text
 * @param {(event: MouseEvent) => unknown} onclick
 * @param {Attributes} [attributes]
 */
export function button(text, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, text);
}

/**
 * Return a button that looks like a link, or a link that looks like a button.
 *
 * @param {string} text
 * @param {string} href
 * @param {Attributes} [attributes]
 */
export function linkButton(text, href, attributes = {}) {
  return element("a.button", { href, ...attributes }, text);
}

/**
 * Return a button that asks for confirmation of an action that cannot be undone.
 *
 * @param {string} text
 * @param {string} question
 * @param {() => unknown} act
 */
export function confirmButton(text, question, act) {
  const created = button(text, () => {
    if (created.textContent === question) return act();
    created.textContent = question;
    created.classList.add("danger");
  });
  created.addEventListener("blur", () => {
    created.textContent = text;
    created.classList.remove("danger");
  });
  return created;
}

/**
 * Return a button that opens a panel. Escape and a click elsewhere close it.
 *
 * @param {string} text
 * @param {Child[]} children
 */
export function menu(text, ...children) {
  const summary = element("summary", {}, text);
  const created = element("details.menu", {}, summary, element("div.panel", {}, ...children));
  created.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !created.open) return;
    event.stopPropagation();
    created.open = false;
    summary.focus();
  });
  return created;
}

/**
 * Close all menus but the one that was clicked.
 *
 * @param {MouseEvent} event
 */
export function closeMenus(event) {
  /** @type {NodeListOf<HTMLDetailsElement>} */
  const menus = document.querySelectorAll("details.menu[open]");
  for (const menu of menus)
    if (!menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
}

/**
 * Revoke an object URL once it is no longer being loaded.
 *
 * @param {string | null | undefined} url
 */
export function revokeLater(url) {
  if (url) setTimeout(() => URL.revokeObjectURL(url), 5000);
}
