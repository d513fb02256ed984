// @ts-check
/** The story of a face, saved automatically. */

import { findSaved, saveFace, updateSaved } from "../state/api.js";
import { updateFavourites } from "../state/favourites.js";
import { notifyError } from "../state/messages.js";
import { debounced } from "../state/scheduling.js";
import { element } from "./dom.js";

/** @import { Face, SavedFace } from "../state/types.d.ts" */

const SAVE_DELAY = 700; // ms after the last key press
const MAX_LENGTH = 20000;

/**
 * Return a text box for the story of a face; `leave` saves pending changes.
 *
 * @param {Face} face
 * @param {(saved: SavedFace) => void} onSaved called with the saved face
 */
export function storyBox(face, onSaved) {
  const text = element("textarea", {
    rows: 5,
    maxlength: MAX_LENGTH,
    placeholder: "Who is this?",
    "aria-label": "Story of this face",
  });
  const status = element("span.saved", { role: "status" });
  const story = savedStory(face, text, status, onSaved);
  const saveLater = debounced(story.save, SAVE_DELAY);
  const saveNow = () => saveLater.flush({ keepalive: true });
  const saveIfHidden = () => document.hidden && saveNow();
  text.addEventListener("input", () => {
    status.textContent = "…";
    saveLater();
  });
  text.addEventListener("blur", () => saveLater.flush());
  addEventListener("pagehide", saveNow);
  document.addEventListener("visibilitychange", saveIfHidden);

  return {
    root: element("div.story", {}, text, status),
    leave() {
      saveNow();
      story.abort();
      removeEventListener("pagehide", saveNow);
      document.removeEventListener("visibilitychange", saveIfHidden);
    },
  };
}

/**
 * Load the story of a face into a text box and return the function that saves it.
 *
 * @param {Face} face
 * @param {HTMLTextAreaElement} text
 * @param {HTMLElement} status
 * @param {(saved: SavedFace) => void} onSaved
 */
function savedStory(face, text, status, onSaved) {
  const controller = new AbortController();
  /** @type {SavedFace | null} */
  let saved = null;
  let savedText = "";
  /** @param {SavedFace} update */
  const accept = (update) => {
    saved = update;
    savedText = update.story;
    updateFavourites(update);
    onSaved(update);
  };
  const loaded = findSaved(face, controller.signal)
    .then((found) => {
      if (!found) return;
      accept(found);
      text.value ||= savedText;
    })
    .catch(notifyError);

  /** @param {{ keepalive?: boolean }} [options] */
  async function save(options = {}) {
    if (!options.keepalive) await loaded;
    const story = text.value;
    if (story === savedText) return;
    try {
      const update = saved
        ? updateSaved(saved.id, { story }, options)
        : saveFace({ face, story }, options);
      accept(await update);
      savedText = story;
      status.textContent = text.value === story ? "Saved" : "";
    } catch (error) {
      status.textContent = "Not saved";
      notifyError(error);
    }
  }
  return { save, abort: () => controller.abort() };
}
