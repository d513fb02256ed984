/** The family of a face: ancestors above, descendants below. */

import { getFamily } from "../state/api.js";
import { drawn, element } from "../ui/dom.js";
import { nameOf, toQuery } from "../state/face.js";
import { toggleFavourite } from "../state/favourites.js";
import { sayError } from "../ui/notice.js";
import { go, leaveTo } from "../state/router.js";
import { toggleTray } from "../state/selection.js";
import { onFocused } from "./wall.js";

const [SIDE, GAP, ROW] = [88, 20, 150];

/** @see router.start */
export function familyView(place) {
  return {
    title: "Family",
    update(words) {
      place.replaceChildren(element("h1", {}, "Family"));
      getFamily(words.kept).then((family) => place.append(tree(family, Number(words.kept)))).catch(sayError);
    },
    keys: {
      f: () => onFocused((one) => toggleFavourite(one.face)),
      " ": () => onFocused((one) => toggleTray(one.face)),
      Escape: () => leaveTo("#/kept"),
    },
  };
}

/**
 * In which generation each face is: one below the youngest of its parents.
 *
 * @returns {number[][]} the ids of each generation, those near each other that share parents
 */
export function generations({ nodes, edges }) {
  const parents = new Map(nodes.map(({ id }) => [id, []]));
  for (const { child, parent } of edges) parents.get(child)?.push(parent);
  const depths = new Map();
  const depthOf = (id, path = new Set()) => {
    if (depths.has(id) || path.has(id)) return depths.get(id) ?? 0;
    const above = (parents.get(id) ?? []).map((parent) => depthOf(parent, new Set([...path, id])) + 1);
    depths.set(id, Math.max(0, ...above));
    return depths.get(id);
  };
  const rows = [];
  for (const { id } of nodes) (rows[depthOf(id)] ??= []).push(id);
  return Array.from(rows, (row) => row ?? []).map((row, index, all) => (index ? nearParents(row, parents, all.slice(0, index).flat()) : row));
}

function nearParents(row, parents, above) {
  const middle = (id) => {
    const places = parents.get(id).map((parent) => above.indexOf(parent)).filter((at) => at >= 0);
    return places.reduce((sum, at) => sum + at, 0) / (places.length || 1);
  };
  return row.toSorted((one, other) => middle(one) - middle(other));
}

function tree(family, chosen) {
  const rows = generations(family);
  const width = Math.max(...rows.map((row) => row.length)) * (SIDE + GAP);
  const places = new Map();
  rows.forEach((row, depth) => row.forEach((id, index) => {
    const left = (width - row.length * (SIDE + GAP)) / 2 + index * (SIDE + GAP) + GAP / 2;
    places.set(id, { left, top: depth * ROW });
  }));
  const height = rows.length * ROW;
  const lines = drawn("svg", { width, height, "aria-hidden": true }, ...family.edges.map((edge) => line(edge, places)));
  const faces = family.nodes.map((kept) => node(kept, places.get(kept.id), kept.id === chosen));
  const canvas = element("div.tree", { style: { width: `${width}px`, height: `${height}px` } }, lines, ...faces);
  canvas.addEventListener("keydown", (event) => walk(event, family, canvas, places));
  const scroll = element("div.tree-scroll", {}, canvas);
  requestAnimationFrame(() => canvas.querySelector("[aria-current]")?.focus());
  const words = family.nodes.length > 1 ? "Arrows walk along the lines, Enter opens a face." : "This face has neither parents nor children yet.";
  return element("div", {}, element("p.quiet", {}, words), scroll);
}

function line({ child, parent, share, how }, places) {
  const [from, to] = [places.get(parent), places.get(child)];
  if (!from || !to) return null;
  const [x1, y1, x2, y2] = [from.left + SIDE / 2, from.top + SIDE, to.left + SIDE / 2, to.top];
  const bend = (y2 - y1) / 2;
  const path = `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  return drawn("path", { d: path, "stroke-width": 1 + 3 * (share ?? 0.5) }, drawn("title", {}, how ?? ""));
}

function node(kept, { left, top }, isChosen) {
  const how = kept.how ? `, by ${kept.how}` : "";
  const made = element(
    "button.tile", {
      type: "button", "aria-label": `${nameOf(kept.face)}${how}`, "aria-current": isChosen ? "true" : null, title: kept.story || null,
      style: { left: `${left}px`, top: `${top}px` }, data: { id: kept.id }, onclick: () => go("face", toQuery(kept.face)),
    },
    element("img", { src: `/api/kept/${kept.id}/thumb.png`, alt: "" }),
  );
  made.face = kept.face;
  return made;
}

/** Up to a parent, down to a child, and aside to a neighbour. */
function walk(event, { edges }, canvas, places) {
  const id = Number(event.target.dataset?.id);
  const beside = (by) => {
    const row = [...places].filter(([, { top }]) => top === places.get(id).top).map(([one]) => one);
    row.sort((one, other) => places.get(one).left - places.get(other).left);
    return row[row.indexOf(id) + by];
  };
  const next = {
    ArrowUp: () => edges.find(({ child }) => child === id)?.parent,
    ArrowDown: () => edges.find(({ parent }) => parent === id)?.child,
    ArrowLeft: () => beside(-1),
    ArrowRight: () => beside(1),
  }[event.key]?.();
  if (!next) return;
  event.preventDefault();
  canvas.querySelector(`[data-id="${next}"]`)?.focus();
}
