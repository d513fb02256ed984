// @ts-check
/**
 * The selected faces. Each view has a selection of its own, which survives a reload; the views of a
 * single face share that of the view from which they were opened.
 */

import { keyOf } from "./face.js";
import { notify } from "./messages.js";
import { recall, remember } from "./session.js";

/** @import { Face } from "./types.d.ts" */

const MAX_FACES = 256;
const KEY = "selection";

/** @type {{ view: string, recent: string, faces: Record<string, Face[]> }} */
const state = recall(KEY, { view: "wall", recent: "wall", faces: {} });
/** @type {Face[]} */
const NONE = [];
/** @type {Set<() => void>} */
const listeners = new Set();

/** Return the selected faces of the current view. */
export const selectedFaces = () => state.faces[state.view] ?? NONE;

/** Return the faces of the selection that was changed last, in whichever view. */
export const recentSelection = () => state.faces[state.recent] ?? NONE;

/**
 * Return the number of selected faces of a view.
 *
 * @param {string} view
 */
export const selectedCount = (view) => state.faces[view]?.length ?? 0;

/**
 * Show the selection of another view.
 *
 * @param {string} view
 */
export function useSelectionOf(view) {
  if (view === state.view) return;
  state.view = view;
  update();
}

/** @param {Face} face */
export const isSelected = (face) => selectedFaces().some((other) => keyOf(other) === keyOf(face));

/**
 * Call `listener` whenever the selection changes. Returns a function that unsubscribes it.
 *
 * @param {() => void} listener
 */
export function onSelection(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function update() {
  remember(KEY, state);
  for (const listener of [...listeners]) listener();
}

/** @param {Face[]} next */
function setSelection(next) {
  state.faces[state.view] = next;
  state.recent = state.view;
  update();
}

export const clearSelection = () => setSelection([]);

/**
 * Remove these faces from the selection.
 *
 * @param {Face[]} removed
 */
export function deselect(removed) {
  const keys = new Set(removed.map(keyOf));
  setSelection(selectedFaces().filter((face) => !keys.has(keyOf(face))));
}

/**
 * Select a face, or deselect it.
 *
 * @param {Face} face
 */
export function toggleSelected(face) {
  const faces = selectedFaces();
  if (isSelected(face)) deselect([face]);
  else if (faces.length < MAX_FACES) setSelection([...faces, face]);
  else notify(`At most ${MAX_FACES} faces can be selected.`);
}
