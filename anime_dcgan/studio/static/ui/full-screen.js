// @ts-check
/** A face in full screen: enlarged by a network where the server has one, and smoothly otherwise. */

import { getPicture } from "../state/api.js";
import { isAbort } from "../state/errors.js";
import { pictureUrl } from "../state/face.js";
import { notifyError } from "../state/messages.js";
import { element, revokeLater } from "./dom.js";

/** @import { Face } from "../state/types.d.ts" */

const FACTOR = 4;

/** @type {string | null} */
let upscaler = null;

/**
 * Enlarge faces by the network of this name.
 *
 * @param {string} name
 */
export function offerUpscaler(name) {
  upscaler = name;
}

/**
 * Show the enlarged face on its image, and the name of the network, while `root` is in full screen.
 * Returns a function that ends this.
 *
 * @param {HTMLElement} root
 * @param {HTMLImageElement} image
 * @param {Face} face
 */
export function enlargeInFullScreen(root, image, face) {
  const controller = new AbortController();
  const caption = element("span.enlarged", { hidden: true });
  /** @type {string | null} */
  let url = null;
  let original = "";
  root.append(caption);
  root.addEventListener("fullscreenchange", update);

  const isShown = () => document.fullscreenElement === root;
  async function update() {
    if (isShown()) await enlarge().catch((error) => !isAbort(error) && notifyError(error));
    else if (original) image.src = original;
    caption.hidden = !(isShown() && url);
  }
  async function enlarge() {
    if (!upscaler) return;
    if (!url) {
      const enlarged = pictureUrl(face, { upscale: FACTOR });
      url = URL.createObjectURL(await getPicture(enlarged, controller.signal));
    }
    if (!isShown()) return;
    original = image.src;
    image.src = url;
    caption.textContent = `Enlarged ${FACTOR} times by ${upscaler}`;
  }
  return () => {
    controller.abort();
    root.removeEventListener("fullscreenchange", update);
    revokeLater(url);
  };
}
