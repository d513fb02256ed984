// @ts-check
/** The favourites that the page has loaded. */

import { findSaved, listSaved, saveFace, updateSaved } from "./api.js";
import { keyOf } from "./face.js";
import { announce, notifyError } from "./messages.js";

/** @import { Face } from "./types.d.ts" */

/** @type {Map<string, boolean>} */
const favourites = new Map();
/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {Face} face */
export const isFavourite = (face) => favourites.get(keyOf(face)) ?? false;

/**
 * Call `listener` whenever favourites change. Returns a function that unsubscribes it.
 *
 * @param {() => void} listener
 */
export function onFavourites(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/**
 * Record whether these faces are favourites, as reported by the server.
 *
 * @param {{ face: Face, favourite: boolean }[]} saved
 */
export function updateFavourites(...saved) {
  for (const { face, favourite } of saved) favourites.set(keyOf(face), favourite);
  for (const listener of [...listeners]) listener();
}

/** Request all favourites, page by page. */
export async function loadFavourites() {
  /** @type {number | undefined} */
  let before;
  do {
    const page = await listSaved({ favourite: true, limit: 500, before });
    updateFavourites(...page.saved);
    before = page.more ? page.saved.at(-1)?.id : undefined;
  } while (before);
}

/**
 * Add a face to the favourites, or remove it.
 *
 * @param {Face} face
 */
export async function toggleFavourite(face) {
  const favourite = !isFavourite(face);
  updateFavourites({ face, favourite });
  try {
    updateFavourites(await store(face, favourite));
    announce(favourite ? "Added to favourites" : "Removed from favourites");
  } catch (error) {
    updateFavourites({ face, favourite: !favourite });
    notifyError(error);
  }
}

/**
 * @param {Face} face
 * @param {boolean} favourite
 * @returns {Promise<{ face: Face, favourite: boolean }>}
 */
async function store(face, favourite) {
  if (favourite) return saveFace({ face, favourite });
  const saved = await findSaved(face);
  return saved ? updateSaved(saved.id, { favourite }) : { face, favourite };
}
