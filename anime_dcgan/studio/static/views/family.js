// @ts-check
/** The family of a face: ancestors above, descendants below. */

import { getFamily, thumbnailUrl } from "../state/api.js";
import { describeFace, toQuery } from "../state/face.js";
import { notifyError } from "../state/messages.js";
import { go, goBack } from "../state/router.js";
import { element, svgElement } from "../ui/dom.js";
import { createTile, tileKeys } from "../ui/tiles.js";

/** @import { Family, FamilyEdge, SavedFace, View } from "../state/types.d.ts" */

/** @typedef {Map<number, { left: number, top: number }>} Positions */

const [SIDE, GAP, ROW] = [88, 20, 150];

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function familyView(container) {
  return {
    title: "Family",
    update({ id }) {
      container.replaceChildren(element("h1", {}, "Family"));
      getFamily(Number(id))
        .then((family) => container.append(...familyTree(family, Number(id))))
        .catch(notifyError);
    },
    keys: { ...tileKeys(), Escape: () => goBack("#/saved") },
  };
}

/**
 * Return the ids of each generation, which is one below the youngest parent. Siblings are next to
 * each other.
 *
 * @param {Family} family
 */
function generations({ nodes, edges }) {
  /** @type {Map<number, number[]>} */
  const parents = new Map(nodes.map(({ id }) => [id, []]));
  for (const { child, parent } of edges) parents.get(child)?.push(parent);
  /** @type {Map<number, number>} */
  const depths = new Map();
  /** @type {(id: number, path?: Set<number>) => number} */
  const depthOf = (id, path = new Set()) => {
    const known = depths.get(id);
    if (known !== undefined || path.has(id)) return known ?? 0;
    const below = new Set([...path, id]);
    const above = (parents.get(id) ?? []).map((parent) => depthOf(parent, below) + 1);
    const depth = Math.max(0, ...above);
    depths.set(id, depth);
    return depth;
  };
  /** @type {number[][]} */
  const rows = [];
  for (const { id } of nodes) (rows[depthOf(id)] ??= []).push(id);
  const filled = Array.from(rows, (row) => row ?? []);
  return filled.map((row, index) => sortByParents(row, parents, filled.slice(0, index).flat()));
}

/**
 * @param {number[]} row
 * @param {Map<number, number[]>} parents
 * @param {number[]} above ids of the generations above
 */
function sortByParents(row, parents, above) {
  /** @param {number} id */
  const meanIndex = (id) => {
    const indices = (parents.get(id) ?? [])
      .map((parent) => above.indexOf(parent))
      .filter((index) => index >= 0);
    return indices.reduce((sum, index) => sum + index, 0) / (indices.length || 1);
  };
  return row.toSorted((a, b) => meanIndex(a) - meanIndex(b));
}

/**
 * @param {number[][]} rows
 * @param {number} width
 * @returns {Positions}
 */
function positionsOf(rows, width) {
  const positions = new Map();
  rows.forEach((row, depth) => {
    const margin = (width - row.length * (SIDE + GAP)) / 2;
    row.forEach((id, index) => {
      positions.set(id, { left: margin + index * (SIDE + GAP) + GAP / 2, top: depth * ROW });
    });
  });
  return positions;
}

/**
 * @param {Family} family
 * @param {number} current id of the saved face whose family it is
 */
function familyTree(family, current) {
  const rows = generations(family);
  const width = Math.max(...rows.map((row) => row.length)) * (SIDE + GAP);
  const height = rows.length * ROW;
  const positions = positionsOf(rows, width);
  const lines = family.edges.map((edge) => edgeLine(edge, positions));
  const svg = svgElement("svg", { width, height, "aria-hidden": true }, ...lines);
  const tiles = new Map(
    family.nodes.map((saved) => [saved.id, nodeTile(saved, positions, saved.id === current)]),
  );
  const style = { width: `${width}px`, height: `${height}px` };
  const canvas = element("div.tree", { style }, svg, ...tiles.values());
  canvas.addEventListener("keydown", (event) => {
    const id = family.nodes.find((saved) => tiles.get(saved.id) === event.target)?.id;
    const next = id === undefined ? undefined : relative(event.key, id, family, positions);
    if (next === undefined) return;
    event.preventDefault();
    tiles.get(next)?.focus();
  });
  requestAnimationFrame(() => tiles.get(current)?.focus());
  const hint =
    family.nodes.length > 1
      ? "The arrow keys follow the lines; Enter opens a face."
      : "This face has no parents or children yet.";
  return [element("p.quiet", {}, hint), element("div.tree-scroll", {}, canvas)];
}

/**
 * @param {FamilyEdge} edge
 * @param {Positions} positions
 */
function edgeLine({ child, parent, share, how }, positions) {
  const [from, to] = [positions.get(parent), positions.get(child)];
  if (!from || !to) return null;
  const [x1, y1, x2, y2] = [from.left + SIDE / 2, from.top + SIDE, to.left + SIDE / 2, to.top];
  const bend = (y2 - y1) / 2;
  const path = `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  const attributes = { d: path, "stroke-width": 1 + 3 * (share ?? 0.5) };
  return svgElement("path", attributes, svgElement("title", {}, how ?? ""));
}

/**
 * @param {SavedFace} saved
 * @param {Positions} positions
 * @param {boolean} isCurrent
 */
function nodeTile(saved, positions, isCurrent) {
  const { left = 0, top = 0 } = positions.get(saved.id) ?? {};
  const tile = createTile(saved.face, {
    tabindex: 0,
    "aria-current": isCurrent ? "true" : null,
    title: saved.story || null,
    style: { left: `${left}px`, top: `${top}px` },
    onclick: () => go("face", toQuery(saved.face)),
  });
  tile.setAttribute(
    "aria-label",
    describeFace(saved.face) + (saved.how ? `, by ${saved.how}` : ""),
  );
  tile.append(element("img", { src: thumbnailUrl(saved.id), alt: "" }));
  return tile;
}

/**
 * Return the face that an arrow key leads to: a parent, a child, or a neighbour.
 *
 * @param {string} key
 * @param {number} id
 * @param {Family} family
 * @param {Positions} positions
 */
function relative(key, id, { edges }, positions) {
  /** @param {number} offset */
  const neighbour = (offset) => {
    const row = [...positions]
      .filter(([, { top }]) => top === positions.get(id)?.top)
      .toSorted(([, a], [, b]) => a.left - b.left)
      .map(([other]) => other);
    return row[row.indexOf(id) + offset];
  };
  switch (key) {
    case "ArrowUp":
      return edges.find(({ child }) => child === id)?.parent;
    case "ArrowDown":
      return edges.find(({ parent }) => parent === id)?.child;
    case "ArrowLeft":
      return neighbour(-1);
    case "ArrowRight":
      return neighbour(1);
    default:
      return undefined;
  }
}
