// @ts-check
/** "Make yours": from a sheet of faces to one of your own, in four steps. */

import { getParts, getVariations } from "../state/api.js";
import { isAbort } from "../state/errors.js";
import { fromQuery, pictureUrl, toQuery } from "../state/face.js";
import { resolveFace } from "../state/generators.js";
import { announce, notifyError } from "../state/messages.js";
import { randomWallSeed } from "../state/prefetch.js";
import { go, link, replace } from "../state/router.js";
import { button, element, revokeLater } from "../ui/dom.js";
import { generatorPicker } from "../ui/generator-picker.js";
import { arrowNavigation, createTile, paintTiles, seedTiles } from "../ui/tiles.js";
import { nameFace } from "./make-name.js";

/** @import { Face, Params, Part, Tile, View } from "../state/types.d.ts" */

/** @typedef {(title: string, hint: string) => void} SetTitle */
/** @typedef {{ root: HTMLElement, leave: () => void, more?: () => void }} Step */

const COUNT = 16;
const POLL = 500; // ms

/** @type {{ name: string, title: string, hint: string }[]} */
const STEPS = [
  { name: "Face", title: "Choose a face", hint: "Which one do you like best?" },
  { name: "Colours", title: "Choose colours", hint: "The same face in other colours." },
  { name: "Details", title: "Choose shape and details", hint: "The same colours, other features." },
  { name: "Name", title: "Give this face a name", hint: "And a story, if you like." },
];
/** Parameters that hold the choice of each step: the query of a face. */
const CHOICES = ["face", "colours", "details"];

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function makeView(container) {
  /** @type {Step | null} */
  let step = null;
  /** @type {Params} */
  let params = {};
  let wasShown = false;
  const picker = generatorPicker((generator) =>
    replace("make", { ...generator, seed: params.seed }),
  );
  const back = () => {
    const index = stepOf(params);
    if (index > 0) go("make", without(params, index - 1));
    else go("wall");
  };
  return {
    title: "Make yours",
    update(next) {
      params = next;
      picker.set(params);
      step?.leave();
      const heading = element("h1", { tabindex: -1 });
      const hint = element("p.quiet");
      /** @type {SetTitle} */
      const setTitle = (title, text) => {
        heading.textContent = title;
        hint.textContent = text;
      };
      const index = stepOf(params);
      const { title } = STEPS[index];
      setTitle(title, STEPS[index].hint);
      step = showStep(params, setTitle);
      const bar =
        index === 0 &&
        element("div.bar", { role: "toolbar", "aria-label": "Generator" }, ...picker.controls);
      const content = [stepper(params), heading, hint, step.root];
      container.replaceChildren(...(bar ? [bar] : []), ...content);
      if (wasShown) heading.focus({ preventScroll: true });
      wasShown = true;
      announce(`Step ${index + 1} of ${STEPS.length}: ${title}`);
    },
    leave() {
      picker.leave();
      step?.leave();
    },
    keys: { r: () => step?.more?.(), Escape: back },
  };
}

/** Return the index of the step that is not done yet. @param {Params} params */
function stepOf(params) {
  const done = CHOICES.findIndex((name) => !params[name]);
  return done < 0 ? CHOICES.length : done;
}

/**
 * Return the parameters without the choices from a step on.
 *
 * @param {Params} params
 * @param {number} from
 */
function without(params, from) {
  const removed = new Set([
    ...CHOICES.slice(from),
    ...CHOICES.slice(from).map((name) => `${name}_of`),
    "saved",
  ]);
  return Object.fromEntries(Object.entries(params).filter(([name]) => !removed.has(name)));
}

/** @param {Params} params */
function stepper(params) {
  const current = stepOf(params);
  const items = STEPS.map(({ name }, index) => {
    const text = `${index + 1} ${name}`;
    const href = link("make", without(params, index));
    const attributes = index === current ? { "aria-current": "step" } : {};
    return element("li", attributes, index < current ? element("a", { href }, text) : text);
  });
  return element("nav", { "aria-label": "Steps" }, element("ol.steps", {}, ...items));
}

/**
 * @param {Params} params
 * @param {SetTitle} setTitle
 * @returns {Step}
 */
function showStep(params, setTitle) {
  switch (stepOf(params)) {
    case 0:
      return chooseFace(params);
    case 1:
      return chooseVariation(params, "colour", "face", "colours");
    case 2:
      return chooseVariation(params, "shape", "colours", "details");
    default:
      return nameFace(params, setTitle);
  }
}

/**
 * The first step: a sheet of random faces. The studio learns meanwhile what the colours are.
 *
 * @param {Params} params
 * @returns {Step}
 */
function chooseFace(params) {
  const controller = new AbortController();
  const grid = sheet("Faces", async (face) => {
    const resolved = await resolveFace(face).catch(notifyError);
    if (resolved) go("make", { ...params, face: toQuery(resolved) });
  });
  const { tiles, painted } = seedTiles(params, Number(params.seed), COUNT, controller.signal);
  grid.show(tiles);
  painted.then(() => getParts(params, controller.signal)).catch(notifyError);
  const more = () => replace("make", { ...params, seed: randomWallSeed() });
  return {
    root: element(
      "div",
      {},
      grid.root,
      element("div.actions", {}, button("Other faces", more, { title: "Other faces (R)" })),
    ),
    more,
    leave() {
      controller.abort();
      grid.leave();
      painted.then(revokeLater, () => {});
    },
  };
}

/**
 * A step with variations of the face so far, the first of which is the face as it is.
 *
 * @param {Params} params
 * @param {Part} part
 * @param {string} from parameter of the face so far
 * @param {string} to parameter of the choice
 * @returns {Step}
 */
function chooseVariation(params, part, from, to) {
  const controller = new AbortController();
  const { signal } = controller;
  const face = fromQuery(params[from] ?? "");
  /** @type {Map<Face, Face | null>} */
  const donors = new Map();
  /** @type {string | null} */
  let url = null;
  let seed = 1000 * (part === "colour" ? 1 : 2) + ((face.seed ?? 0) % 997);
  const choose = (/** @type {Face} */ chosen) => {
    const donor = donors.get(chosen);
    go("make", { ...params, [to]: toQuery(chosen), [`${to}_of`]: donor && toQuery(donor) });
  };
  const grid = sheet(STEPS[stepOf(params)].name, choose);
  const status = element("p.quiet", { role: "status" });
  const own = element(
    "figure.so-far",
    {},
    element("img", { src: pictureUrl(face), alt: "Your face so far" }),
    element("figcaption.quiet", {}, "So far"),
  );

  async function draw() {
    try {
      await untilReady(face, status, signal);
      const { variations } = await getVariations({ face, part, count: COUNT - 1, seed }, signal);
      donors.clear();
      donors.set(face, null);
      for (const one of variations) donors.set(one.face, one.donor);
      const tiles = [...donors.keys()].map((each) => createTile(each));
      tiles[0].title = "As it is";
      const painted = await paintTiles(tiles);
      if (signal.aborted) return;
      grid.show(tiles);
      revokeLater(url);
      url = painted;
    } catch (error) {
      if (!isAbort(error)) notifyError(error);
    }
  }
  const more = () => {
    seed = randomWallSeed();
    draw();
  };
  draw();
  const other = part === "colour" ? "Other colours" : "Other details";
  const actions = element(
    "div.actions",
    {},
    button("Keep as it is", () => choose(face)),
    button(other, more, { title: `${other} (R)` }),
  );
  return {
    root: element("div.make-step", {}, own, element("div", {}, grid.root, status, actions)),
    more,
    leave() {
      controller.abort();
      grid.leave();
      revokeLater(url);
    },
  };
}

/**
 * Wait until the studio knows which latents change colours, and show how far it is.
 *
 * @param {Face} face
 * @param {HTMLElement} status
 * @param {AbortSignal} signal
 */
async function untilReady(face, status, signal) {
  for (;;) {
    const { ready, progress } = await getParts(face, signal);
    status.textContent = ready
      ? ""
      : `The studio learns what this network's colours are: ${Math.round(100 * progress)}%. It does so once.`;
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, POLL));
    signal.throwIfAborted();
  }
}

/**
 * Return a sheet of 16 faces; a click chooses one.
 *
 * @param {string} label
 * @param {(face: Face) => unknown} choose
 */
function sheet(label, choose) {
  const root = element("div.sheet", { role: "group", "aria-label": label });
  const updateTabStop = arrowNavigation(root);
  root.addEventListener("click", (event) => {
    const tile = /** @type {Element} */ (event.target).closest(".tile");
    if (tile) choose(/** @type {Tile} */ (tile).face);
  });
  /** @param {Tile[]} tiles */
  const show = (tiles) => {
    const hadFocus = root.contains(document.activeElement);
    root.replaceChildren(...tiles);
    updateTabStop();
    if (hadFocus) tiles[0].focus({ preventScroll: true });
  };
  return { root, show, leave: () => {} };
}
