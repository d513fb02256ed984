// @ts-check
/** Pictures on canvases. */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Picture} picture
 */
function paint(canvas, { width, pixels }) {
  if (canvas.width !== width) canvas.width = canvas.height = width;
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, width), 0, 0);
}

/**
 * Return a link with the picture of a face, which is painted when it is drawn.
 *
 * @param {Face} face
 */
function makeTile(face) {
  const canvas = make("canvas", { width: 1, height: 1 });
  const tile = make("a", { className: "tile", href: toHash(face) }, canvas);
  tile.setAttribute("aria-label", describe(face));
  return tile;
}

/**
 * @param {HTMLElement} tile
 * @param {Picture} picture
 */
function paintTile(tile, picture) {
  paint(/** @type {HTMLCanvasElement} */ (tile.firstElementChild), picture);
  tile.classList.add("painted");
}

/**
 * Let arrow keys move the focus within a group of tiles, which is one stop of the tab key.
 *
 * @param {HTMLElement} group
 */
function moveFocusByArrows(group) {
  group.addEventListener("focusin", ({ target }) => {
    for (const tile of group.querySelectorAll(".tile[tabindex='0']"))
      tile.setAttribute("tabindex", "-1");
    /** @type {HTMLElement} */ (target).setAttribute("tabindex", "0");
  });
  group.addEventListener("keydown", (event) => {
    const tiles = /** @type {HTMLElement[]} */ ([...group.querySelectorAll(".tile")]);
    const columns = getComputedStyle(group).gridTemplateColumns.split(" ").length;
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const step = steps[event.key];
    const next = step && tiles[tiles.indexOf(/** @type {HTMLElement} */ (event.target)) + step];
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    next.focus();
  });
}

/**
 * Add tiles to a group. The first one of all can be reached by the tab key.
 *
 * @param {HTMLElement} group
 * @param {HTMLElement[]} tiles
 */
function addTiles(group, tiles) {
  for (const tile of tiles) tile.tabIndex = group.querySelector(".tile[tabindex='0']") ? -1 : 0;
  if (!group.querySelector(".tile[tabindex='0']") && tiles[0]) tiles[0].tabIndex = 0;
  for (const tile of tiles.slice(1)) tile.tabIndex = -1;
  group.append(...tiles);
}
