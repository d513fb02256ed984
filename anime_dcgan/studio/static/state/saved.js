// @ts-check
/** Saving faces together with their origin. */

import { forgetSaved, restoreSaved, saveFace } from "./api.js";
import { updateFavourites } from "./favourites.js";
import { notify, notifyError } from "./messages.js";
import { go } from "./router.js";
import { deselect } from "./selection.js";
import { counted } from "./text.js";

/** @import { SavedFace, SaveRequest } from "./types.d.ts" */

const UNDO_SECONDS = 10;

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
 * Forget saved faces, which can be undone for ten seconds.
 *
 * @param {SavedFace[]} saved
 * @param {() => void} refresh called when they are gone, and when they are back
 */
export async function forget(saved, refresh) {
  const ids = saved.map(({ id }) => id);
  const undo = async () => {
    const { count } = await restoreSaved(ids);
    updateFavourites(...saved);
    notify(`${counted(count, "face")} back.`);
    refresh();
  };
  try {
    const { count } = await forgetSaved(ids);
    updateFavourites(...saved.map(({ face }) => ({ face, favourite: false })));
    deselect(saved.map(({ face }) => face));
    const action = { text: "Undo", run: () => undo().catch(notifyError) };
    notify(`${counted(count, "face")} forgotten.`, { action, seconds: UNDO_SECONDS });
    refresh();
  } catch (error) {
    notifyError(error);
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
