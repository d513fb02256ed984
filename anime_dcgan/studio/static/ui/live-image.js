// @ts-check
/** An image that shows the latest of many faces. */

import { getPicture } from "../state/api.js";
import { pictureUrl } from "../state/face.js";
import { notifyError } from "../state/messages.js";
import { latestOnly } from "../state/scheduling.js";
import { revokeLater } from "./dom.js";

/** @import { Face } from "../state/types.d.ts" */

/**
 * Return a function that shows a face on the image; faces that are outdated before they are requested
 * are skipped.
 *
 * @param {HTMLImageElement} image
 */
export function liveImage(image) {
  /** @type {string | null} */
  let url = null;
  const show = latestOnly(
    (/** @type {Face} */ face) => getPicture(pictureUrl(face)),
    (blob) => {
      revokeLater(url);
      url = URL.createObjectURL(blob);
      image.src = url;
    },
    notifyError,
  );
  return { show, leave: () => revokeLater(url) };
}
