// @ts-check
/** Generators that can draw, by the hash of their weights. */

import { getGenerator } from "./api.js";
import { keyOf } from "./face.js";

/** @import { Face, SavedFace } from "./types.d.ts" */

/** Hashes of generators that the server has. @type {Set<string>} */
const known = new Set();
/** Keys of saved faces of which only the stored picture remains. @type {Set<string>} */
const gone = new Set();

/** Return false for a saved face whose generator is known to be gone. @param {Face} face */
export const canDraw = (face) => !gone.has(keyOf(face));

/**
 * Record whether these saved faces can still be drawn, as reported by the server.
 *
 * @param {SavedFace[]} saved
 */
export function noteDrawable(saved) {
  for (const { face, drawable } of saved)
    if (drawable) gone.delete(keyOf(face));
    else gone.add(keyOf(face));
}

/**
 * Return the face with the hash of its generator and the number of its epoch; null if the generator
 * is gone, so that only a stored picture can be shown.
 *
 * @param {Face} face
 * @param {AbortSignal} [signal]
 * @returns {Promise<Face | null>}
 */
export async function resolveFace(face, signal) {
  if (face.digest && known.has(face.digest)) return face;
  const { drawable, ...generator } = await getGenerator(face, signal);
  if (!drawable) {
    gone.add(keyOf(face));
    return null;
  }
  if (generator.digest) known.add(generator.digest);
  gone.delete(keyOf(face));
  return { ...face, ...generator };
}
