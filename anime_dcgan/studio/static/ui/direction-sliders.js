// @ts-check
/** Sliders along the directions of a generator, with the faces at both of their ends. */

import { getSketches, getStyles } from "../state/api.js";
import { isAbort } from "../state/errors.js";
import { withMoves } from "../state/face.js";
import { notifyError } from "../state/messages.js";
import { latestOnly } from "../state/scheduling.js";
import { nameButton, watchDirections } from "./direction-names.js";
import { button, element, revokeLater } from "./dom.js";
import { dropdown } from "./fields.js";
import { ALL_LAYERS, layerOptions } from "./layer-picker.js";
import { paint } from "./sprite.js";
import { term } from "./term.js";

/** @import { Direction, Directions, Face, Generator, Styles } from "../state/types.d.ts" */

/** @typedef {Record<string, number>} Moves */
/** @typedef {(changes: Moves, released: boolean) => void} OnMove */

const STEP = 0.05;
const PER_PAGE = 10;
const END_COLUMNS = 2;

/**
 * Return sliders for all directions of a generator.
 *
 * @param {Generator} generator
 * @param {OnMove} onMove
 */
export function directionSliders(generator, onMove) {
  const controller = new AbortController();
  const context = { generator, onMove, signal: controller.signal };
  const styles = getStyles(generator, controller.signal);
  styles.catch(() => {}); // each list reports the error
  const first = directionList("sefa", styles, context, () => first.drawEnds());
  const second = directionList("pca", styles, context, () => second.drawEnds());
  const more = element(
    "details.more",
    {},
    element("summary", {}, "Other sliders"),
    term("How are these found?", "PCA:", PCA),
    second.root,
  );
  more.addEventListener("toggle", () => more.open && second.start());
  first.start();
  const heading = element("h2", {}, "Change this face");
  const hint = term("How are these found?", "SeFa:", SEFA);
  return {
    root: element("section.sliders", { "aria-label": "Sliders" }, heading, hint, first.root, more),
    /** @param {Face} face */
    set(face) {
      first.set(face);
      second.set(face);
    },
    /** Draw the faces at the ends of all sliders. */
    drawEnds() {
      first.drawEnds();
      if (more.open) second.drawEnds();
    },
    leave() {
      controller.abort();
      first.leave();
      second.leave();
    },
  };
}

const MEASURED =
  "Their names are measured: 32 faces are drawn at both ends of a slider, and what changes most gives it its name.";
const SEFA = `the directions in which the first layer of the network reacts most (closed-form factorization). ${MEASURED}`;
const PCA = `the directions in which a thousand drawn faces differ most (principal component analysis). ${MEASURED}`;

/**
 * Return the sliders of one method, which load when they are started.
 *
 * @param {string} method
 * @param {Promise<Styles>} styles
 * @param {{ generator: Generator, onMove: OnMove, signal: AbortSignal }} context
 * @param {() => void} onMore called when sliders have been added
 */
function directionList(method, styles, { generator, onMove, signal }, onMore) {
  const list = element("div.slider-list");
  const measuring = element("progress", { max: 1, "aria-label": "Measuring what changes" });
  const status = element(
    "p.quiet",
    { hidden: true },
    "Measuring what each slider changes …",
    measuring,
  );
  const more = button("More", () => load());
  more.hidden = true;
  /** @type {Map<string, ReturnType<typeof directionSlider>>} */
  const sliders = new Map();
  /** @type {Face | null} */
  let face = null;
  /** @type {string | null} */
  let url = null;
  let count = 0;
  const draw = latestOnly(
    async (/** @type {Face} */ drawn) => {
      const all = [...sliders.values()];
      const tiles = all.flatMap((slider) => slider.ends);
      const faces = all.flatMap((slider) => slider.endFaces(drawn));
      return { tiles, blob: await getSketches(faces, END_COLUMNS, signal) };
    },
    ({ tiles, blob }) => {
      revokeLater(url);
      url = paint(tiles, blob, END_COLUMNS);
    },
    fail,
  );

  /** @param {unknown} error */
  function fail(error) {
    if (!isAbort(error)) notifyError(error);
  }
  /** @param {string} layers */
  async function watch(layers = ALL_LAYERS) {
    const { layers: styleLayers, groups } = await styles;
    const request = { method, count, ...(layers ? { layers } : {}) };
    await watchDirections(generator, request, signal, (found) => {
      status.hidden = found.progress === 1;
      measuring.value = found.progress;
      more.hidden = found.directions.length < count;
      show(found, layers, styleLayers > 1 ? groups : null);
    });
  }
  /**
   * @param {Directions} found
   * @param {string} layers
   * @param {Record<string, string> | null} groups
   */
  function show({ directions, range }, layers, groups) {
    const before = sliders.size;
    for (const direction of directions) {
      const shown = sliders.get(direction.id);
      if (shown) {
        if (shown.layers === layers) shown.describe(direction);
        continue;
      }
      const slider = directionSlider(generator, direction, { range, groups, onMove, onLayers });
      sliders.set(direction.id, slider);
      list.append(slider.root);
      if (face) slider.set(face.moves);
      if (slider.layers) onLayers(slider.layers);
    }
    if (sliders.size > before && face) onMore();
  }
  /** @param {string} layers */
  function onLayers(layers) {
    watch(layers).catch(fail);
    drawEnds();
  }
  function load() {
    count += PER_PAGE;
    watch().catch(fail);
  }
  function drawEnds() {
    if (face && sliders.size) draw(face);
  }
  return {
    root: element("div", {}, status, list, more),
    start: () => count || load(),
    drawEnds,
    /** @param {Face} next */
    set(next) {
      face = next;
      for (const slider of sliders.values()) {
        const before = slider.layers;
        slider.set(next.moves);
        if (slider.layers !== before) watch(slider.layers).catch(fail);
      }
    },
    leave: () => revokeLater(url),
  };
}

/**
 * Return a slider whose right end is the side of the direction that has a name.
 *
 * @param {Generator} generator
 * @param {Direction} direction
 * @param {object} options
 * @param {number} options.range largest step, in standard deviations
 * @param {Record<string, string> | null} options.groups layers that may move alone
 * @param {OnMove} options.onMove
 * @param {(layers: string) => void} options.onLayers
 */
function directionSlider(generator, direction, { range, groups, onMove, onLayers }) {
  const { id, strength } = direction;
  let { sign } = direction;
  let step = 0;
  let moved = ALL_LAYERS;
  const key = () => (moved === ALL_LAYERS ? id : `${id}/${moved}`);
  const shown = element("output");
  const input = element("input", { type: "range", min: -range, max: range, step: STEP });
  const opposite = element("span.opposite");
  const name = nameButton(generator, describe);
  const ends = [-1, 1].map((side) =>
    button("", () => moveTo(side * range, true), { class: "end tile", tabindex: -1 }),
  );
  const list = groups && layerList(groups, moveLayers);
  const title = `${(strength * 100).toFixed(1)}% of the variance (${id})`;
  const labels = element("div.labels", {}, opposite, shown, name.root);
  const middle = element("div.middle", { title }, labels, input, list?.root);
  const root = element("div.slider", { data: { id } }, ends[0], middle, ends[1]);

  /**
   * @param {number} value of the slider
   * @param {boolean} released
   */
  function moveTo(value, released) {
    step = value === 0 ? 0 : sign * value;
    show();
    onMove({ [key()]: step }, released);
  }
  function show() {
    input.value = String(sign * step);
    shown.textContent = formatStep(sign * step);
  }
  /** @param {string} next */
  function moveLayers(next) {
    const before = key();
    moved = next;
    if (step) onMove({ [before]: 0, [key()]: step }, true);
    onLayers(next);
  }
  /** @param {Direction} next */
  function describe(next) {
    const isTurned = next.sign !== sign;
    sign = next.sign;
    name.show(next);
    const isUnknown = next.source === "none";
    opposite.textContent = next.opposite ?? (isUnknown ? "no measurable change" : "");
    input.setAttribute(
      "aria-label",
      next.opposite ? `${next.opposite} to ${next.name}` : next.name,
    );
    ends.forEach((end, index) => {
      const text = index ? next.name : (next.opposite ?? `less ${next.name}`);
      end.setAttribute("aria-label", `All the way: ${text}`);
    });
    list?.root.setAttribute("aria-label", `Layers of ${next.name}`);
    if (isTurned) swapPictures(ends);
    show();
  }
  input.addEventListener("input", () => moveTo(Number(input.value), false));
  input.addEventListener("change", () => moveTo(Number(input.value), true));
  input.addEventListener("dblclick", () => moveTo(0, true));
  describe(direction);
  return {
    root,
    ends,
    describe,
    get layers() {
      return moved;
    },
    /**
     * Return a face with this slider at its left and its right end.
     *
     * @param {Face} face
     */
    endFaces: (face) => [-1, 1].map((side) => withMoves(face, { [key()]: side * sign * range })),
    /** @param {Moves} moves */
    set(moves) {
      const own = Object.keys(moves).find((one) => one.split("/")[0] === id);
      step = own === undefined ? 0 : moves[own];
      if (own !== undefined) moved = own.split("/")[1] ?? ALL_LAYERS;
      list?.set(moved);
      show();
    },
  };
}

/**
 * @param {Record<string, string>} groups
 * @param {(layers: string) => void} onchange
 */
function layerList(groups, onchange) {
  const root = dropdown(layerOptions(groups), ALL_LAYERS, onchange, { title: "Layers that move" });
  /** @param {string} layers */
  const set = (layers) => {
    if (![...root.options].some(({ value }) => value === layers))
      root.append(element("option", { value: layers }, `Layers ${layers}`));
    root.value = layers;
  };
  return { root, set };
}

/** @param {number} step */
function formatStep(step) {
  return step === 0 ? "" : `${step > 0 ? "+" : "−"}${Math.abs(step).toFixed(2)}`;
}

/**
 * Exchange the pictures of two tiles.
 *
 * @param {HTMLElement[]} tiles
 */
function swapPictures([first, second]) {
  const { backgroundPosition } = first.style;
  first.style.backgroundPosition = second.style.backgroundPosition;
  second.style.backgroundPosition = backgroundPosition;
}
