// @ts-check
/** Smooth enlargement: blocks of pixels are kept only up to a factor at which they still help. */

import { onSettings } from "../state/settings.js";

const SMOOTH_FROM = 4;
/** Width of a picture in its own pixels, by the element that shows it. @type {Map<Element, number>} */
const widths = new Map();

/**
 * Enlarge a picture smoothly where it is shown at four times its own width, or more.
 *
 * @param {HTMLElement} element
 * @param {number} width in pixels of the picture
 */
export function setPictureWidth(element, width) {
  widths.set(element, width);
  update(element, width);
}

/**
 * @param {Element} element
 * @param {number} width
 */
function update(element, width) {
  element.classList.toggle("smooth", element.clientWidth >= SMOOTH_FROM * width);
}

function updateAll() {
  for (const [element, width] of widths)
    if (element.isConnected) update(element, width);
    else widths.delete(element);
}

/** Watch all pictures of the page. */
export function watchPictures() {
  addEventListener("resize", updateAll);
  onSettings(updateAll);
  document.addEventListener(
    "load",
    ({ target }) => {
      if (target instanceof HTMLImageElement) setPictureWidth(target, target.naturalWidth);
    },
    true,
  );
}
