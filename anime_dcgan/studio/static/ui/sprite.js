// @ts-check
/** Sprites: many faces in one picture. */

import { setPictureWidth } from "./rendering.js";

const WIDTH_OFFSET = 16; // of the width in a PNG file

/**
 * Show each tile's part of a picture that has rows of `columns` faces. Returns the object URL of
 * the picture, which the caller revokes.
 *
 * @param {HTMLElement[]} tiles
 * @param {Blob} blob
 * @param {number} columns
 */
export function paint(tiles, blob, columns) {
  const url = URL.createObjectURL(blob);
  const rows = Math.ceil(tiles.length / columns);
  tiles.forEach((tile, index) => {
    const x = columns > 1 ? (index % columns) / (columns - 1) : 0;
    const y = rows > 1 ? Math.floor(index / columns) / (rows - 1) : 0;
    tile.style.backgroundImage = `url(${url})`;
    tile.style.backgroundSize = `${columns * 100}% ${rows * 100}%`;
    tile.style.backgroundPosition = `${x * 100}% ${y * 100}%`;
    tile.classList.add("painted");
  });
  pictureWidth(blob).then((width) =>
    tiles.forEach((tile) => setPictureWidth(tile, width / columns)),
  );
  return url;
}

/** @param {Blob} blob a PNG */
async function pictureWidth(blob) {
  const bytes = await blob.slice(WIDTH_OFFSET, WIDTH_OFFSET + 4).arrayBuffer();
  return new DataView(bytes).getUint32(0);
}
