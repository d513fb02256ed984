// @ts-check
/** One face with every label: the same latent in each class. */

import { getStyles } from "../state/api.js";
import { isAbort } from "../state/errors.js";
import { notifyError } from "../state/messages.js";
import { latestOnly } from "../state/scheduling.js";
import { element, revokeLater } from "./dom.js";
import { arrowNavigation, createTile, paintTiles } from "./tiles.js";

/** @import { Face, Styles, Tile } from "../state/types.d.ts" */

const MAX_LABELS = 24;

/**
 * True if a face can be drawn with any label: the styles of a mapping network contain their own.
 *
 * @param {Face} face
 * @param {Styles} styles
 */
export const takesLabels = (face, { labels, mapping }) =>
  labels.length > 0 && !(mapping && face.latent != null);

/**
 * Return a row of tiles that draws a face with each label. It stays hidden for runs without labels.
 *
 * @param {Face} face
 * @param {(label: string) => unknown} onchoose
 */
export function labelRow(face, onchoose) {
  const controller = new AbortController();
  /** @type {Tile[]} */
  let tiles = [];
  /** @type {string | null} */
  let url = null;
  let current = face;
  const grid = element("div.each-label", { role: "group", "aria-label": "This face by label" });
  const heading = element("h2", {}, "This face with every label");
  const root = element("section", { hidden: true }, heading, grid);
  const updateTabStop = arrowNavigation(grid);
  const draw = latestOnly(
    (/** @type {Tile[]} */ drawn) => paintTiles(drawn),
    (next) => {
      revokeLater(url);
      url = next;
    },
    notifyError,
  );
  load().catch((error) => !isAbort(error) && notifyError(error));

  async function load() {
    const styles = await getStyles(face, controller.signal);
    if (!takesLabels(face, styles)) return;
    const labels = styles.labels.slice(0, MAX_LABELS);
    tiles = labels.map((label) => createTile({ ...current, label }));
    const figures = labels.map((label, index) => {
      const tile = tiles[index];
      tile.addEventListener("click", () => onchoose(label));
      return element("figure", { title: label }, tile, element("figcaption", {}, label));
    });
    grid.replaceChildren(...figures);
    if (labels.length < styles.labels.length)
      heading.textContent = `This face with the first ${MAX_LABELS} labels`;
    root.hidden = false;
    updateTabStop();
    set(current);
  }
  /** @param {Face} next */
  function set(next) {
    current = next;
    for (const tile of tiles) {
      tile.face = { ...next, label: tile.face.label };
      tile.setAttribute("aria-label", tile.face.label ?? "");
      tile.setAttribute("aria-pressed", String(tile.face.label === next.label));
    }
    if (tiles.length) draw(tiles);
  }
  return {
    root,
    set,
    leave() {
      controller.abort();
      revokeLater(url);
    },
  };
}
