// @ts-check
/** The selected faces, which stay selected when the view changes. */

import { keyOf } from "./face.js";
import { notify } from "./messages.js";

/** @import { Face } from "./types.d.ts" */

const MAX_FACES = 256;

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {Face[]} */
let faces = [];

export const selectedFaces = () => faces;

/** @param {Face} face */
export const isSelected = (face) => faces.some((other) => keyOf(other) === keyOf(face));

/**
 * Call `listener` whenever the selection changes. Returns a function that unsubscribes it.
 *
 * @param {() => void} listener
 */
export function onSelection(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** @param {Face[]} next */
function setSelection(next) {
  faces = next;
  for (const listener of [...listeners]) listener();
}

export const clearSelection = () => setSelection([]);

/**
 * Remove these faces from the selection.
 *
 * @param {Face[]} removed
 */
export function deselect(removed) {
  const queries = new Set(removed.map(keyOf));
  setSelection(faces.filter((face) => !queries.has(keyOf(face))));
}

/**
 * Select a face, or deselect it.
 *
 * @param {Face} face
 */
export function toggleSelected(face) {
  if (isSelected(face)) deselect([face]);
  else if (faces.length < MAX_FACES) setSelection([...faces, face]);
  else notify(`At most ${MAX_FACES} faces can be selected.`);
}
