/** The story of a face: a box that saves itself. */

import { changeKept, findKept, keep } from "../state/api.js";
import { element } from "./dom.js";
import { learn } from "../state/favourites.js";
import { debounced } from "../state/scheduling.js";
import { sayError } from "./notice.js";

const REST = 700; // ms without a key until it is saved
const LONGEST = 20000;

/**
 * A box for the story of `face`. `onkept(kept)` hears what the server keeps of it.
 *
 * @returns {{box: HTMLElement, leave: () => void}} leave saves what is not saved yet
 */
export function storyBox(face, onkept = () => {}) {
  const text = element("textarea", {
    rows: 5, maxlength: LONGEST, placeholder: "Who is this?", "aria-label": "The story of this face",
  });
  const state = element("span.saved", { role: "status" });
  const abort = new AbortController();
  let kept = null;
  let saved = "";

  const loaded = findKept(face, abort.signal).then(show).catch(sayError);
  function show(found) {
    kept = found;
    if (!found) return;
    learn(found);
    onkept(found);
    saved = found.story;
    if (!text.value) text.value = saved;
  }

  const save = async (how = {}) => {
    await (how.keepalive ? null : loaded);
    const story = text.value;
    if (story === saved) return;
    try {
      kept = kept ? await changeKept(kept.id, { story }, how) : await keep({ face, story }, how);
      saved = story;
      state.textContent = text.value === saved ? "Saved" : "";
      learn(kept);
      onkept(kept);
    } catch (error) {
      state.textContent = "Not saved";
      sayError(error);
    }
  };
  const later = debounced(save, REST);
  const atOnce = () => later.now({ keepalive: true });
  const whenHidden = () => document.hidden && atOnce();
  text.addEventListener("input", () => ((state.textContent = "…"), later()));
  text.addEventListener("blur", () => later.now());
  addEventListener("pagehide", atOnce);
  document.addEventListener("visibilitychange", whenHidden);

  return {
    box: element("div.story", {}, text, state),
    leave() {
      atOnce();
      abort.abort();
      removeEventListener("pagehide", atOnce);
      document.removeEventListener("visibilitychange", whenHidden);
    },
  };
}
