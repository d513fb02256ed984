/** Faces in rows: each a button with its part of a sprite, and arrows that move among them. */

import { getPicture, getSheet, wallPicture } from "../state/api.js";
import { element } from "./dom.js";
import { faceOfSeed, nameOf, toQuery } from "../state/face.js";
import { inTray, onTray } from "../state/selection.js";
import { isFavourite, onFavourites } from "../state/favourites.js";
import { paint } from "./sprite.js";

export const COLUMNS = 8;

/** A button that is a face; its picture comes with `paint`. */
export function tile(face, attributes = {}) {
  const made = element("button.tile", { type: "button", tabindex: -1, ...attributes });
  made.face = face;
  mark(made);
  return made;
}

/** Tiles of the seeds from `first`, one request for them all. */
export function seedTiles(words, first, count, signal) {
  const columns = Math.min(COLUMNS, count);
  const tiles = Array.from({ length: count }, (_, index) => tile(faceOfSeed(words, first + index)));
  const painted = getPicture(wallPicture(words, first, count, columns), signal).then((blob) => paint(tiles, blob, columns));
  return { tiles, painted };
}

/** Tiles of any faces, one request for them all. */
export async function paintFaces(tiles, signal) {
  if (!tiles.length) return null;
  const columns = Math.min(COLUMNS, tiles.length);
  return paint(tiles, await getSheet(tiles.map((one) => one.face), columns, { signal }), columns);
}

/** Show on a tile whether its face is a favourite and whether it is in the tray. */
export function mark(one) {
  const chosen = inTray(one.face);
  one.classList.toggle("favourite", isFavourite(one.face));
  one.classList.toggle("chosen", chosen);
  const words = [nameOf(one.face), one.kept?.story, isFavourite(one.face) && "favourite", chosen && "chosen"];
  one.setAttribute("aria-label", words.filter(Boolean).join(", "));
}

/** Mark the tiles below `place` anew whenever favourites or the tray change; gives the end. */
export function keepMarked(place) {
  const all = () => place.querySelectorAll(".tile").forEach(mark);
  const ends = [onTray(all), onFavourites(all)];
  return () => ends.forEach((end) => end());
}

const MOVES = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: (columns) => -columns,
  ArrowDown: (columns) => columns,
  Home: () => -Infinity,
  End: () => Infinity,
};

/**
 * Let the arrows walk over the tiles in `place`, which is one stop of the tab key.
 * `onend` is called when one walks down from the last row.
 *
 * @returns {() => void} to be called when tiles have come or gone
 */
export function walkable(place, onend = () => {}) {
  const all = () => [...place.querySelectorAll(".tile")];
  let stop = null;
  const stopAt = (one) => {
    if (stop) stop.tabIndex = -1;
    stop = one;
    if (stop) stop.tabIndex = 0;
  };
  place.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move || event.altKey || event.ctrlKey || event.metaKey || !event.target.matches(".tile")) return;
    event.preventDefault();
    const tiles = all();
    const wanted = tiles.indexOf(event.target) + move(columnsOf(tiles));
    if (wanted >= tiles.length) onend();
    tiles[Math.max(0, Math.min(tiles.length - 1, wanted))].focus();
  });
  place.addEventListener("focusin", (event) => event.target.matches(".tile") && stopAt(event.target));
  return () => !place.contains(stop) && stopAt(place.querySelector(".tile"));
}

function columnsOf(tiles) {
  const top = tiles[0].offsetTop;
  const next = tiles.findIndex((one) => one.offsetTop !== top);
  return next < 0 ? tiles.length : next;
}

/** Put the focus where it was: on the tile of the face that was opened last. */
export function focusFace(place, face) {
  const wanted = toQuery(face);
  const found = [...place.querySelectorAll(".tile")].find((one) => toQuery(one.face) === wanted);
  found?.focus({ preventScroll: true });
  found?.scrollIntoView({ block: "nearest" });
  return Boolean(found);
}
