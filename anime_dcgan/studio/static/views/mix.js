// @ts-check
/** Mixing: blends of faces, interpolations between them, and their children. */

import { blend, breed, mix } from "../state/api.js";
import {
  MAX_PARENTS,
  describeFace,
  keyOf,
  parentParams,
  parentsFromParams,
  pictureUrl,
  randomSeed,
  toQuery,
} from "../state/face.js";
import { canDraw } from "../state/generators.js";
import { announce, notify, notifyError } from "../state/messages.js";
import { go, link, replace, updateAddress } from "../state/router.js";
import { save, saveAndConfirm } from "../state/saved.js";
import { recall, remember } from "../state/session.js";
import { latestOnly } from "../state/scheduling.js";
import { recentSelection, toggleSelected } from "../state/selection.js";
import { counted } from "../state/text.js";
import { howToSelect } from "../state/touch.js";
import { button, element, linkButton, revokeLater } from "../ui/dom.js";
import { slider, twoDecimals } from "../ui/fields.js";
import { labelPicker } from "../ui/label-picker.js";
import { takesLabels } from "../ui/label-row.js";
import { layerPicker } from "../ui/layer-picker.js";
import { liveImage } from "../ui/live-image.js";
import {
  arrowNavigation,
  createTile,
  keepTilesUpdated,
  onTileClick,
  paintTiles,
  tileKeys,
  tilesIn,
} from "../ui/tiles.js";

/** @import { Face, Origin, Params, SaveRequest, Tile, View } from "../state/types.d.ts" */

/** @typedef {{ root: HTMLElement, leave: () => void }} Section */

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function mixView(container) {
  /** @type {Section[]} */
  let sections = [];
  const leave = () => sections.forEach((section) => section.leave());
  return {
    title: "Mix",
    update(params) {
      leave();
      sections = [];
      const own = parentsFromParams(params).slice(0, MAX_PARENTS);
      const parents = own.map((face) => ({ ...face, label: params.label || face.label }));
      const selected = recentSelection().filter(canDraw).slice(0, MAX_PARENTS);
      if (!parents.length && selected.length) return replace("mix", parentParams(selected));
      const layers = params.layers ?? null;
      if (parents.length > 1)
        sections = [blending(parents, layers), interpolation(parents, layers)];
      else if (parents.length) sections = [singleParent(parents[0])];
      if (parents.length)
        sections = [howToMix(own, params), ...sections, children(parents, params)];
      const content = sections.length ? sections.map(({ root }) => root) : [noParents()];
      container.replaceChildren(element("h1", {}, "Mix"), ...content);
    },
    leave,
    keys: tileKeys(),
  };
}

function noParents() {
  const text =
    `On the Faces page, ${howToSelect()} to select it. ` +
    "Mix two or more of them; a single face can have children too.";
  return element(
    "div.empty",
    {},
    element("h2", {}, "Select parents first"),
    element("p", {}, text),
    linkButton("Go to faces", "#/wall", { class: "button primary" }),
  );
}

/**
 * Return the list of the layers to be mixed, where the generator has several, and that of the
 * labels with which all parents can be drawn.
 *
 * @param {Face[]} parents
 * @param {Params} params
 * @returns {Section}
 */
function howToMix(parents, params) {
  const layers = layerPicker(parents[0], params.layers ?? "", (layers) =>
    replace("mix", { ...params, layers }),
  );
  const label = labelPicker(
    "Of each parent",
    (label) => replace("mix", { ...params, label }),
    (styles) => parents.every((face) => takesLabels(face, styles)),
  );
  label.set(parents[0], params.label ?? null);
  const leave = () => {
    layers.leave();
    label.leave();
  };
  return { root: element("div.row", {}, layers.root, label.root), leave };
}

/**
 * @param {Face} face
 * @param {HTMLElement} [control]
 */
function parentFigure(face, control) {
  const image = element("img", { src: pictureUrl(face), alt: describeFace(face) });
  const anchor = element("a", { href: link("face", toQuery(face)) }, image);
  return element("div.parent", {}, anchor, control);
}

/** @param {HTMLElement[]} figures */
function parentsSection(...figures) {
  const row = element("div.parents", {}, ...figures);
  return element("section", { "aria-label": "Parents" }, element("h2", {}, "Parents"), row);
}

/**
 * @param {Face} face
 * @returns {Section}
 */
function singleParent(face) {
  return { root: parentsSection(parentFigure(face)), leave: () => {} };
}

/**
 * Return the parents, each with a slider for its share, and their blend.
 *
 * @param {Face[]} parents
 * @param {string | null} layers
 * @returns {Section}
 */
function blending(parents, layers) {
  const shares = parents.map(() => 1);
  const image = element("img", { alt: "Blend of the parents" });
  const live = liveImage(image);
  let blended = parents[0];
  const request = latestOnly(
    () => (shares.some(Boolean) ? blend(parents, shares, layers) : { face: parents[0] }),
    ({ face }) => {
      blended = face;
      live.show(face);
    },
    notifyError,
  );
  const figures = parents.map((face, index) => {
    const attributes = { type: "range", min: 0, max: 1, step: 0.02, value: 1 };
    const label = `Share of ${describeFace(face)}`;
    const share = element("input", { ...attributes, "aria-label": label });
    share.addEventListener("input", () => {
      shares[index] = Number(share.value);
      request(undefined);
    });
    return parentFigure(face, share);
  });
  const actions = element(
    "div.actions",
    {},
    button("Save", () => saveAndConfirm(childRequest(blended, parents, "mix", shares))),
    button("Select", () => toggleSelected(blended)),
    button("Edit", () => go("edit", toQuery(blended))),
  );
  request(undefined);
  const result = element("div.parent.result", {}, image, actions);
  return { root: parentsSection(...figures, result), leave: live.leave };
}

/**
 * Return a strip of faces from parent to parent.
 *
 * @param {Face[]} parents
 * @param {string | null} layers
 * @returns {Section}
 */
function interpolation(parents, layers) {
  const strip = faceGrid("Interpolation");
  const request = latestOnly(
    (/** @type {number} */ steps) => mix(parents, steps, layers),
    ({ faces }) => strip.show(faces),
    notifyError,
  );
  const steps = slider("Steps", { min: 2, max: 32, step: 1, value: 7, oninput: request });
  request(7);
  const film = button("Make a film", () => go("film", { ...parentParams(parents), layers }));
  const head = element("div.head", {}, element("h2", {}, "Interpolation"), steps, film);
  return { root: element("section", {}, head, strip.root), leave: strip.leave };
}

/**
 * Return children of the parents; a click opens one, its heart keeps it as a parent of the next
 * generation.
 *
 * @param {Face[]} parents
 * @param {Params} params
 * @returns {Section}
 */
function children(parents, params) {
  const grid = faceGrid("Children", keepable);
  const key = `children of ${parents.map(keyOf).join(" ")}`;
  const chosen = new Map(
    recall(key, /** @type {Face[]} */ ([])).map((face) => [keyOf(face), face]),
  );
  const layers = params.layers ?? null;
  const settings = {
    variation: Number(params.variation ?? 0.3),
    children: Number(params.children ?? 24),
    seed: Number(params.seed ?? 1),
  };
  const request = latestOnly(
    () => breed({ parents, layers, ...settings }),
    ({ faces }) => grid.show(faces).then(render),
    notifyError,
  );
  /** @param {Partial<typeof settings>} changes */
  const change = (changes) => {
    Object.assign(settings, changes);
    updateAddress("mix", { ...params, ...settings });
    request(undefined);
  };
  const next = button("", breedNext, { class: "primary", hidden: true });

  function breedNext() {
    const { variation } = settings;
    go("mix", { ...parentParams([...chosen.values()]), layers, variation });
  }
  /** @param {Face} face */
  function toggle(face) {
    const isNew = !chosen.delete(keyOf(face));
    if (isNew && chosen.size >= MAX_PARENTS) return notify(`At most ${MAX_PARENTS} parents.`);
    if (isNew) chosen.set(keyOf(face), face);
    remember(key, [...chosen.values()]);
    render();
    announce(`${counted(chosen.size, "face")} kept as the next parents`);
    save({ ...childRequest(face, parents, "breed"), favourite: isNew });
  }
  /** @param {Tile} tile */
  function keepable(tile) {
    const label = `Keep ${describeFace(tile.face)}`;
    const keep = button("♡", () => toggle(tile.face), { class: "keep", "aria-label": label });
    tile.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "f" || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      toggle(tile.face);
    });
    return element("div.child", {}, tile, keep);
  }
  function render() {
    for (const tile of tilesIn(grid.root)) {
      const isChosen = chosen.has(keyOf(tile.face));
      const keep = /** @type {HTMLElement} */ (tile.nextElementSibling);
      keep.setAttribute("aria-pressed", String(isChosen));
      keep.textContent = isChosen ? "♥" : "♡";
    }
    next.hidden = !chosen.size;
    next.textContent = `Breed the kept ones (${chosen.size})`;
  }
  request(undefined);
  const hint =
    "A click opens a child; its heart keeps it as a favourite and as a parent of the next " +
    "generation. The back button returns to the previous generation.";
  const head = element(
    "div.head",
    {},
    element("h2", {}, "Children"),
    ...childrenControls(settings, change),
    next,
  );
  const root = element("section", {}, head, element("p.quiet", {}, hint), grid.root);
  return { root, leave: grid.leave };
}

/**
 * @param {{ variation: number, children: number }} settings
 * @param {(changes: { variation?: number, children?: number, seed?: number }) => void} change
 */
function childrenControls(settings, change) {
  const variation = slider("Variation", {
    min: 0,
    max: 1,
    step: 0.05,
    value: settings.variation,
    format: twoDecimals,
    oninput: (variation) => change({ variation }),
  });
  const count = slider("Count", {
    min: 4,
    max: 64,
    step: 4,
    value: settings.children,
    onchange: (children) => change({ children }),
  });
  return [variation, count, button("Other children", () => change({ seed: randomSeed() }))];
}

/**
 * Return a grid whose faces can be replaced.
 *
 * @param {string} label
 * @param {(tile: Tile) => HTMLElement} [frame] returns what is shown of a tile
 */
function faceGrid(label, frame = (tile) => tile) {
  const root = element("div.wall", { role: "group", "aria-label": label });
  const updateTabStop = arrowNavigation(root);
  const stopUpdates = keepTilesUpdated(root);
  /** @type {string | null} */
  let url = null;
  onTileClick(root);
  /** @param {Face[]} faces */
  async function show(faces) {
    const tiles = faces.map((face) => createTile(face));
    const next = await paintTiles(tiles).catch(notifyError);
    if (!next) return;
    root.replaceChildren(...tiles.map(frame));
    updateTabStop();
    revokeLater(url);
    url = next;
  }
  const leave = () => {
    stopUpdates();
    revokeLater(url);
  };
  return { root, show, leave };
}

/**
 * @param {Face} face
 * @param {Face[]} parents
 * @param {Origin} how
 * @param {number[]} [shares] one per parent; equal by default
 * @returns {SaveRequest}
 */
function childRequest(face, parents, how, shares = parents.map(() => 1)) {
  const sum = shares.reduce((a, b) => a + b, 0) || 1;
  return {
    face,
    how,
    parents: parents.map((parent, index) => ({ face: parent, share: shares[index] / sum })),
  };
}
