// @ts-check
/** Sliders along the directions of a generator, which users can name. */

import { getDirections, getStyles, nameDirection } from "../state/api.js";
import { announce, notifyError } from "../state/messages.js";
import { button, element } from "./dom.js";
import { dropdown } from "./fields.js";
import { ALL_LAYERS, layerOptions } from "./layer-picker.js";

/** @import { Direction, Generator } from "../state/types.d.ts" */

/** @typedef {Record<string, number>} Moves */
/** @typedef {(changes: Moves, released: boolean) => void} OnMove */
/** @typedef {HTMLElement & { set: (moves: Moves) => void }} DirectionSlider */
/** @typedef {{ layers: number, groups: Record<string, string> }} Styles */

/** @type {[method: string, title: string, hint: string][]} */
const METHODS = [
  ["sefa", "SeFa directions", "Computed from the weights of the generator"],
  ["pca", "PCA directions", "Computed from generated faces"],
];
const STEP = 0.05;
const PER_PAGE = 10;

/**
 * Return sliders for all directions of a generator.
 *
 * @param {Generator} generator
 * @param {OnMove} onMove
 */
export function directionSliders(generator, onMove) {
  const controller = new AbortController();
  /** @type {DirectionSlider[]} */
  const sliders = [];
  /** @type {Moves} */
  let moves = {};
  /** @param {DirectionSlider} slider */
  const register = (slider) => {
    sliders.push(slider);
    slider.set(moves);
  };
  const styles = getStyles(generator, controller.signal);
  styles.catch(() => {}); // each list reports the error
  const sections = METHODS.map(([method, title, hint]) => {
    const load = async (/** @type {number} */ count) => ({
      ...(await getDirections(generator, method, count, controller.signal)),
      styles: await styles,
    });
    /** @type {(direction: Direction, range: number, styles: Styles) => DirectionSlider} */
    const create = (direction, range, styles) =>
      directionSlider(generator, direction, range, styles, onMove);
    return directionList(title, hint, load, create, register);
  });
  return {
    root: element("div.sliders", {}, ...sections),
    /** @param {Moves} next steps by direction */
    set(next) {
      moves = next;
      for (const slider of sliders) slider.set(moves);
    },
    leave: () => controller.abort(),
  };
}

/**
 * @param {string} title
 * @param {string} hint
 * @param {(count: number) => Promise<{ directions: Direction[], range: number, styles: Styles }>} load
 * @param {(direction: Direction, range: number, styles: Styles) => DirectionSlider} create
 * @param {(slider: DirectionSlider) => void} register
 */
function directionList(title, hint, load, create, register) {
  const list = element("div.slider-list");
  let count = 0;
  const loadMore = async () => {
    try {
      count += PER_PAGE;
      const { directions, range, styles } = await load(count);
      const added = directions
        .slice(list.childElementCount)
        .map((one) => create(one, range, styles));
      added.forEach(register);
      list.append(...added);
      more.hidden = directions.length < count;
    } catch (error) {
      notifyError(error);
    }
  };
  const more = button("More", loadMore);
  loadMore();
  const heading = element("h2", { title: hint }, title);
  return element("section", { "aria-label": title }, heading, list, more);
}

/**
 * @param {Generator} generator
 * @param {Direction} direction
 * @param {number} range largest step, in standard deviations
 * @param {Styles} styles layers that the direction may move alone, if there are several
 * @param {OnMove} onMove
 * @returns {DirectionSlider}
 */
function directionSlider(generator, direction, range, { layers, groups }, onMove) {
  const { id, strength } = direction;
  let moved = ALL_LAYERS;
  const shown = element("output");
  const input = element("input", { type: "range", min: -range, max: range, step: STEP });
  /** @param {boolean} released */
  const move = (released) => {
    shown.textContent = formatStep(Number(input.value));
    onMove({ [moveKey(id, moved)]: Number(input.value) }, released);
  };
  const list = layers > 1 ? layerList(id, groups, moveLayers) : null;
  /** @param {string} next */
  function moveLayers(next) {
    const before = moveKey(id, moved);
    moved = next;
    if (Number(input.value))
      onMove({ [before]: 0, [moveKey(id, moved)]: Number(input.value) }, true);
  }
  input.addEventListener("input", () => move(false));
  input.addEventListener("change", () => move(true));
  input.addEventListener("dblclick", () => {
    input.value = "0";
    move(true);
  });
  const attributes = { data: { id }, title: `${(strength * 100).toFixed(1)}% of the variance` };
  const name = nameButton(generator, direction, input);
  const root = element("div.slider", attributes, name, input, shown, list?.root);
  root.classList.toggle("layered", list !== null);
  /** @param {Moves} moves */
  const set = (moves) => {
    const key = Object.keys(moves).find((one) => one.split("/")[0] === id);
    const step = key === undefined ? 0 : moves[key];
    if (key !== undefined) moved = key.split("/")[1] ?? ALL_LAYERS;
    list?.set(moved);
    input.value = String(step);
    shown.textContent = formatStep(step);
  };
  return Object.assign(root, { set });
}

/**
 * Return the key of a step in the moves of a face.
 *
 * @param {string} id
 * @param {string} layers
 */
const moveKey = (id, layers) => (layers === ALL_LAYERS ? id : `${id}/${layers}`);

/**
 * @param {string} id
 * @param {Record<string, string>} groups
 * @param {(layers: string) => void} onchange
 */
function layerList(id, groups, onchange) {
  const attributes = { "aria-label": `Layers of ${defaultName(id)}`, title: "Layers that move" };
  const root = dropdown(layerOptions(groups), ALL_LAYERS, onchange, attributes);
  /** @param {string} layers */
  const set = (layers) => {
    if (![...root.options].some(({ value }) => value === layers))
      root.append(element("option", { value: layers }, `Layers ${layers}`));
    root.value = layers;
  };
  return { root, set };
}

/** @param {string} id */
function defaultName(id) {
  const [method, index] = id.split(".");
  return `${method === "sefa" ? "SeFa" : "PCA"} ${Number(index) + 1}`;
}

/** @param {number} step */
function formatStep(step) {
  return step === 0 ? "0" : `${step > 0 ? "+" : "−"}${Math.abs(step).toFixed(2)}`;
}

/**
 * Return the name of a direction, which a click edits in place.
 *
 * @param {Generator} generator
 * @param {Direction} direction its name is updated
 * @param {HTMLInputElement} input labelled with the name
 */
function nameButton(generator, direction, input) {
  const usual = defaultName(direction.id);
  const created = button("", () => editInPlace(created, direction.name, usual, save), {
    class: "name",
    title: "Rename",
  });
  /** @param {string | null} name */
  function show(name) {
    direction.name = name;
    const text = name ?? usual;
    created.textContent = text;
    created.classList.toggle("named", name != null);
    input.setAttribute("aria-label", text);
  }
  /** @param {string | null} name */
  async function save(name) {
    const before = direction.name;
    if (name === before) return;
    show(name);
    try {
      await nameDirection(generator, direction.id, name);
      announce("Name saved");
    } catch (error) {
      show(before);
      notifyError(error);
    }
  }
  show(direction.name);
  return created;
}

/**
 * Replace a button by a text box until Enter, Escape or a click elsewhere.
 *
 * @param {HTMLElement} button
 * @param {string | null} name
 * @param {string} defaultName
 * @param {(name: string | null) => void} save called with null for an empty name
 */
function editInPlace(button, name, defaultName, save) {
  const box = element("input", {
    type: "text",
    maxlength: 60,
    value: name ?? "",
    placeholder: defaultName,
    "aria-label": `Name of ${defaultName}`,
  });
  button.replaceWith(box);
  box.focus();
  box.select();
  let ended = false; // removing the box fires blur as well
  /** @param {boolean} saves */
  const end = (saves) => {
    if (ended) return;
    ended = true;
    box.replaceWith(button);
    button.focus();
    if (saves) save(box.value.trim() || null);
  };
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") end(true);
    if (event.key === "Escape") end(false);
  });
  box.addEventListener("blur", () => end(true));
}
