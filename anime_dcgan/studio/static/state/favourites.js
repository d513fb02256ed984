/** Which faces are favourites, as far as the page has heard of them. */

import { findKept, changeKept, keep, listKept } from "./api.js";
import { toQuery } from "./face.js";
import { announce, sayError } from "../ui/notice.js";

const known = new Map();
const listeners = new Set();

export const isFavourite = (face) => known.get(toQuery(face)) ?? false;

/** Call `listener()` whenever favourites change; gives the function that ends this. */
export function onFavourites(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Take note of what the server said of kept faces. */
export function learn(...kept) {
  for (const one of kept) known.set(toQuery(one.face), one.favourite);
  for (const listener of [...listeners]) listener();
}

/** Ask for all of them, a page at a time: walls mark them. */
export async function loadFavourites() {
  let before;
  do {
    const page = await listKept({ favourite: true, limit: 500, ...(before && { before }) });
    learn(...page.kept);
    before = page.more && page.kept.at(-1).id;
  } while (before);
}

/** Make a face a favourite, or end it. */
export async function toggleFavourite(face) {
  const favourite = !isFavourite(face);
  known.set(toQuery(face), favourite);
  for (const listener of [...listeners]) listener();
  try {
    learn(await store(face, favourite));
    announce(favourite ? "A favourite now" : "No favourite any more");
  } catch (error) {
    known.set(toQuery(face), !favourite);
    for (const listener of [...listeners]) listener();
    sayError(error);
  }
}

async function store(face, favourite) {
  if (favourite) return keep({ face, favourite });
  const kept = await findKept(face);
  return kept ? changeKept(kept.id, { favourite }) : { face, favourite };
}
