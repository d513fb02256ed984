// @ts-check
/** Grids of faces: buttons that the arrow keys navigate. */

import { getDrawing, getSheet, wallUrl } from "../state/api.js";
import { describeFace, faceFromSeed, featuresOf, toQuery } from "../state/face.js";
import { isFavourite, onFavourites, toggleFavourite } from "../state/favourites.js";
import { go } from "../state/router.js";
import { isSelected, onSelection, toggleSelected } from "../state/selection.js";
import { element } from "./dom.js";
import { paint } from "./sprite.js";

/**
 * @import { Attributes } from "./dom.js"
 * @import { Face, GeneratorParams, Tile } from "../state/types.d.ts"
 */

const LONG_PRESS = 450; // ms

/** Columns of the pictures that the server renders. */
export const COLUMNS = 8;

/**
 * Return a button for a face; `paint` adds the picture.
 *
 * @param {Face} face
 * @param {Attributes} [attributes]
 * @returns {Tile}
 */
export function createTile(face, attributes = {}) {
  const button = element("button.tile", { type: "button", tabindex: -1, ...attributes });
  const tile = Object.assign(button, { face });
  updateTile(tile);
  return tile;
}

/**
 * Return the tiles of consecutive seeds, with a promise of the object URL of their picture, which
 * the caller revokes.
 *
 * @param {GeneratorParams} params
 * @param {number} first
 * @param {number} count
 * @param {AbortSignal} [signal]
 */
export function seedTiles(params, first, count, signal) {
  const columns = Math.min(COLUMNS, count);
  const seeds = Array.from({ length: count }, (_, index) => first + index);
  const tiles = seeds.map((seed) => createTile(faceFromSeed(params, seed)));
  const drawing = getDrawing(wallUrl(params, first, count, columns), signal);
  const painted = drawing.then(({ blob, generator }) => {
    if (generator) for (const tile of tiles) identify(tile, generator);
    return paint(tiles, blob, columns);
  });
  return { tiles, painted };
}

/**
 * Record which generator has drawn a tile, so that this very face can be kept.
 *
 * @param {Tile} tile
 * @param {{ digest: string, epoch: string }} generator
 */
function identify(tile, generator) {
  tile.face = { ...tile.face, ...generator };
  updateTile(tile);
}

/**
 * Render the faces of any tiles with one request. Returns the object URL of the picture.
 *
 * @param {Tile[]} tiles
 */
export async function paintTiles(tiles) {
  if (!tiles.length) return null;
  const columns = Math.min(COLUMNS, tiles.length);
  const faces = tiles.map((tile) => tile.face);
  return paint(tiles, await getSheet(faces, columns), columns);
}

/**
 * Show whether a tile's face is a favourite and whether it is selected.
 *
 * @param {Tile} tile
 */
export function updateTile(tile) {
  const favourite = isFavourite(tile.face);
  const selected = isSelected(tile.face);
  tile.classList.toggle("favourite", favourite);
  tile.classList.toggle("selected", selected);
  const labels = [
    tile.saved?.name,
    describeFace(tile.face),
    tile.saved?.story,
    tile.saved?.drawable === false && "only its picture is left",
    favourite && "favourite",
    selected && "selected",
  ];
  tile.setAttribute("aria-label", labels.filter(Boolean).join(", "));
}

/**
 * Return the tiles inside an element.
 *
 * @param {ParentNode} container
 * @returns {Tile[]}
 */
export function tilesIn(container) {
  return [...container.querySelectorAll(".tile")].map((tile) => /** @type {Tile} */ (tile));
}

/**
 * Update the tiles of a container whenever favourites or the selection change. Returns a function
 * that stops the updates.
 *
 * @param {HTMLElement} container
 */
export function keepTilesUpdated(container) {
  const updateAll = () => tilesIn(container).forEach(updateTile);
  const unsubscribe = [onSelection(updateAll), onFavourites(updateAll)];
  return () => unsubscribe.forEach((end) => end());
}

/**
 * Open the face of a clicked tile; with Shift, Control or Command, select it.
 *
 * @param {HTMLElement} container
 * @param {(face: Face) => void} [open]
 */
export function onTileClick(container, open = (face) => go("face", toQuery(face))) {
  const longPress = selectOnLongPress(container);
  container.addEventListener("click", (event) => {
    const tile = tileOf(event);
    if (!tile || longPress.endedNow()) return;
    if (event.shiftKey || event.ctrlKey || event.metaKey) toggleSelected(tile.face);
    else open(tile.face);
  });
}

/**
 * @param {Event} event
 * @returns {Tile | null}
 */
function tileOf({ target }) {
  return target instanceof Element ? target.closest(".tile") : null;
}

/**
 * Select the tile on which a finger rests. Returns a function that says whether the click that
 * follows belongs to such a touch.
 *
 * @param {HTMLElement} container
 */
function selectOnLongPress(container) {
  let timer = 0;
  let hasSelected = false;
  const stop = () => clearTimeout(timer);
  container.addEventListener("pointerdown", (event) => {
    hasSelected = false;
    const tile = tileOf(event);
    if (event.pointerType !== "touch" || !tile) return;
    timer = setTimeout(() => {
      hasSelected = true;
      toggleSelected(tile.face);
      if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(10);
    }, LONG_PRESS);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave", "scroll"])
    container.addEventListener(end, stop);
  container.addEventListener("contextmenu", (event) => hasSelected && event.preventDefault());
  return {
    endedNow() {
      const answer = hasSelected;
      hasSelected = false;
      return answer;
    },
  };
}

/** Return the shortcuts for the focused tile: favourite and select. */
export function tileKeys() {
  return {
    f: () => withFocusedTile((tile) => toggleFavourite(tile.face)),
    " ": () => withFocusedTile((tile) => toggleSelected(tile.face)),
  };
}

/**
 * Call `act` with the focused tile; returns false if no tile has the focus.
 *
 * @param {(tile: Tile) => unknown} act
 */
export function withFocusedTile(act) {
  const focused = document.activeElement;
  if (!focused?.matches(".tile")) return false;
  act(/** @type {Tile} */ (focused));
  return true;
}

/** @type {Record<string, (columns: number) => number>} */
const MOVES = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: (columns) => -columns,
  ArrowDown: (columns) => columns,
  Home: () => -Infinity,
  End: () => Infinity,
};

/**
 * Let the arrow keys move between the tiles of a container, which is a single tab stop. Returns a
 * function to call after tiles were added or removed.
 *
 * @param {HTMLElement} container
 * @param {() => void} [onEnd] called when the user moves past the last row
 */
export function arrowNavigation(container, onEnd = () => {}) {
  /** @type {Tile | null} */
  let tabStop = null;
  /** @param {Tile | undefined} tile */
  const setTabStop = (tile) => {
    if (tabStop) tabStop.tabIndex = -1;
    tabStop = tile ?? null;
    if (tabStop) tabStop.tabIndex = 0;
  };
  container.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    const tiles = tilesIn(container);
    const index = tiles.findIndex((tile) => tile === event.target);
    if (!move || event.altKey || event.ctrlKey || event.metaKey || index < 0) return;
    event.preventDefault();
    const next = index + move(columnsOf(tiles));
    if (next >= tiles.length) onEnd();
    tiles[Math.max(0, Math.min(tiles.length - 1, next))].focus();
  });
  container.addEventListener("focusin", ({ target }) => {
    if (target instanceof Element && target.matches(".tile"))
      setTabStop(/** @type {Tile} */ (target));
  });
  return () => {
    if (!container.contains(tabStop)) setTabStop(tilesIn(container)[0]);
  };
}

/** @param {Tile[]} tiles */
function columnsOf(tiles) {
  const top = tiles[0].offsetTop;
  const next = tiles.findIndex((tile) => tile.offsetTop !== top);
  return next < 0 ? tiles.length : next;
}

/**
 * Focus the tile of a face of the same generator, if there is one.
 *
 * @param {HTMLElement} container
 * @param {Face} face
 */
export function focusFace(container, face) {
  const tile = tilesIn(container).find((tile) => featuresOf(tile.face) === featuresOf(face));
  tile?.focus({ preventScroll: true });
  tile?.scrollIntoView({ block: "nearest" });
}
