// @ts-check

// Shorthands for elements.

/**
 * Return the first match. Throws if there is none.
 *
 * @param {string} selector
 * @param {ParentNode} [within]
 */
function find(selector, within = document) {
  const element = within.querySelector(selector);
  if (!element) throw new Error(`no element matches ${selector}`);
  return /** @type {HTMLElement} */ (element);
}

/**
 * @param {string} selector
 * @param {ParentNode} [within]
 */
function findAll(selector, within = document) {
  return /** @type {HTMLElement[]} */ ([...within.querySelectorAll(selector)]);
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {string} [text]
 */
function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/**
 * @param {string} base64
 * @param {string} alt
 */
function makeImage(base64, alt) {
  const image = make("img");
  image.src = `data:image/jpeg;base64,${base64}`;
  image.alt = alt;
  image.draggable = false;
  return image;
}
