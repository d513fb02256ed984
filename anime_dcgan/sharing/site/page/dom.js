// @ts-check
/** Shorthands for elements. */

/**
 * Return the element of index.html with this id.
 *
 * @template {HTMLElement} [Found=HTMLElement]
 * @param {string} id
 */
function byId(id) {
  return /** @type {Found} */ (document.getElementById(id));
}

/**
 * Return a new element with these properties.
 *
 * @template {"a" | "canvas" | "input" | "label" | "option" | "script" | "select" | "span"} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [properties]
 * @param {(Node | string)[]} children
 */
function make(tag, properties = {}, ...children) {
  const created = document.createElement(tag);
  Object.assign(created, properties);
  created.append(...children);
  return created;
}

let hideNotice = 0;

/**
 * Show a message for a few seconds, also to screen readers; no text hides the latest one.
 *
 * @param {string} text
 */
function announce(text) {
  const notice = byId("notice");
  notice.textContent = text;
  notice.classList.toggle("shown", text !== "");
  clearTimeout(hideNotice);
  hideNotice = setTimeout(() => notice.classList.remove("shown"), 4000);
}

/**
 * @param {string} href
 * @param {string} name
 */
function save(href, name) {
  make("a", { href, download: name }).click();
}

/** @returns {boolean} */
const prefersStillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
