// @ts-check
/** Saving faces together with their origin. */

import { saveFace } from "./api.js";
import { updateFavourites } from "./favourites.js";
import { notify, notifyError } from "./messages.js";
import { go } from "./router.js";

/** @import { SaveRequest } from "./types.d.ts" */

/**
 * Save a face, or show the error. Returns the saved face, or null after an error.
 *
 * @param {SaveRequest} request
 */
export async function save(request) {
  try {
    const saved = await saveFace(request);
    updateFavourites(saved);
    return saved;
  } catch (error) {
    notifyError(error);
    return null;
  }
}

/**
 * Save a face and show a confirmation with a link to its family.
 *
 * @param {SaveRequest} request
 */
export async function saveAndConfirm(request) {
  const saved = await save(request);
  if (!saved) return;
  const showFamily = { text: "Show family", run: () => go("family", { id: saved.id }) };
  notify("Face saved.", { action: showFamily });
}
