// @ts-check
/** The family of a face and faces near it, as pictures. */

import { breed, getFamily, thumbnailUrl } from "../state/api.js";
import { describeFace } from "../state/face.js";
import { isAbort } from "../state/errors.js";
import { notifyError } from "../state/messages.js";
import { link } from "../state/router.js";
import { element, revokeLater } from "./dom.js";
import {
  arrowNavigation,
  createTile,
  keepTilesUpdated,
  onTileClick,
  paintTiles,
  updateTile,
} from "./tiles.js";

/** @import { Face, Family, SavedFace } from "../state/types.d.ts" */

const NEAR = { children: 8, variation: 0.25, seed: 1, layers: null };
const MAX_RELATIVES = 12;

/**
 * Return a section with the parents, siblings and children of a face, once it is saved, and with
 * faces near it.
 *
 * @param {Face} face
 * @param {boolean} canDraw false if the generator of the face is gone
 */
export function relatives(face, canDraw = true) {
  const family = element("div.family-strips");
  const near = strip("Near faces", []);
  const root = element("section.relatives", {}, family, near.root);
  const stops = [near.leave];
  let hasLeft = false;
  /** @type {string | null} */
  let url = null;

  async function showNear() {
    const { faces } = await breed({ parents: [face], ...NEAR });
    if (hasLeft) return;
    const tiles = faces.map((one) => createTile(one));
    url = await paintTiles(tiles);
    near.show(tiles);
  }
  if (canDraw) showNear().catch((error) => !isAbort(error) && !hasLeft && notifyError(error));
  return {
    root,
    /** @param {SavedFace} saved */
    async showFamily(saved) {
      const found = await getFamily(saved.id).catch(notifyError);
      if (!found || hasLeft) return;
      const strips = Object.entries(relativesOf(found, saved.id))
        .filter(([, members]) => members.length)
        .map(([title, members]) => strip(title, members.slice(0, MAX_RELATIVES).map(savedTile)));
      stops.push(...strips.map(({ leave }) => leave));
      const whole = element("a", { href: link("family", { id: saved.id }) }, "Family tree");
      family.replaceChildren(...strips.map((one) => one.root), element("p", {}, whole));
    },
    leave() {
      hasLeft = true;
      stops.forEach((stop) => stop());
      revokeLater(url);
    },
  };
}

/**
 * @param {Family} family
 * @param {number} id
 * @returns {Record<string, SavedFace[]>}
 */
function relativesOf({ nodes, edges }, id) {
  const parents = new Set(edges.filter(({ child }) => child === id).map(({ parent }) => parent));
  const children = new Set(edges.filter(({ parent }) => parent === id).map(({ child }) => child));
  const siblings = new Set(
    edges.filter(({ child, parent }) => parents.has(parent) && child !== id).map((e) => e.child),
  );
  /** @param {Set<number>} ids */
  const find = (ids) => nodes.filter((node) => ids.has(node.id));
  return { Parents: find(parents), Siblings: find(siblings), Children: find(children) };
}

/** @param {SavedFace} saved */
function savedTile(saved) {
  const tile = createTile(saved.face, { title: saved.story || describeFace(saved.face) });
  tile.saved = saved;
  tile.append(element("img", { src: thumbnailUrl(saved.id), alt: "", loading: "lazy" }));
  updateTile(tile);
  return tile;
}

/**
 * Return a row of faces under a heading; a click opens one.
 *
 * @param {string} title
 * @param {import("../state/types.d.ts").Tile[]} tiles
 */
function strip(title, tiles) {
  const row = element("div.strip", { role: "group", "aria-label": title });
  const root = element("section", { hidden: true }, element("h2", {}, title), row);
  onTileClick(row);
  const updateTabStop = arrowNavigation(row);
  /** @param {import("../state/types.d.ts").Tile[]} next */
  const show = (next) => {
    row.replaceChildren(...next);
    root.hidden = !next.length;
    updateTabStop();
  };
  show(tiles);
  return { root, show, leave: keepTilesUpdated(row) };
}
