// @ts-check
/** Parents of the coarse, middle and fine layers of a face. */

import { getStyles, listSaved } from "../state/api.js";
import {
  MAX_SEED,
  describeFace,
  faceFromSeed,
  haveSameGenerator,
  pictureUrl,
  randomSeed,
} from "../state/face.js";
import { notifyError } from "../state/messages.js";
import { selectedFaces } from "../state/selection.js";
import { capitalised } from "../state/text.js";
import { button, element } from "./dom.js";
import { dropdown } from "./fields.js";

/** @import { Face, Generator, Parent } from "../state/types.d.ts" */

/** @typedef {(layers: string, parent: Parent | null) => void} OnMix */
/** @typedef {{ root: HTMLElement, set: (parent: Parent | null) => void }} LayerRow */

const MAX_SAVED = 100;
const OWN = "own";
const UNLISTED = "-1"; // the index of a parent that is not found

/**
 * Return one row for each group of layers. It stays hidden for generators with a single style.
 *
 * @param {Face} face
 * @param {OnMix} onMix called with null for the style of the face itself
 */
export function styleMixer(face, onMix) {
  const controller = new AbortController();
  /** @type {Map<string, LayerRow>} */
  const rows = new Map();
  let mix = face.mix;
  const hint = "Takes the styles of these layers from another face";
  const heading = element("h2", { title: hint }, "Style mixing");
  const root = element("section.mixer", { "aria-label": "Style mixing", hidden: true }, heading);
  load().catch(notifyError);

  async function load() {
    const { layers, groups } = await getStyles(face, controller.signal);
    if (layers === 1) return;
    const parents = await findParents(face, controller.signal);
    for (const [name, range] of Object.entries(groups)) {
      const row = layerRow(face, capitalised(name), range, parents, onMix);
      rows.set(range, row);
      row.set(mix[range] ?? null);
      root.append(row.root);
    }
    root.hidden = false;
  }
  return {
    root,
    /** @param {Face["mix"]} next parents by range of layers */
    set(next) {
      mix = next;
      for (const [range, row] of rows) row.set(mix[range] ?? null);
    },
    leave: () => controller.abort(),
  };
}

/**
 * Return the selected and the saved faces of a generator, without those that directions move: a
 * parent is a seed or a latent.
 *
 * @param {Generator} generator
 * @param {AbortSignal} signal
 */
async function findParents(generator, signal) {
  const { saved } = await listSaved({ limit: MAX_SAVED }, signal).catch(() => ({ saved: [] }));
  const faces = [...selectedFaces(), ...saved.map(({ face }) => face)];
  /** @type {Map<string, Face>} */
  const parents = new Map();
  for (const face of faces) {
    const isPlain = !Object.keys(face.moves).length && !Object.keys(face.mix).length;
    if (isPlain && haveSameGenerator(face, generator)) parents.set(String(parentOf(face)), face);
  }
  return [...parents.values()];
}

/**
 * @param {Face} face
 * @returns {Parent}
 */
const parentOf = (face) => face.latent ?? face.seed ?? 0;

/**
 * @param {Face} face
 * @param {string} name
 * @param {string} layers
 * @param {Face[]} parents
 * @param {OnMix} onMix
 * @returns {LayerRow}
 */
function layerRow(face, name, layers, parents, onMix) {
  const picture = element("img", { alt: "" });
  const label = `${name} layers`;
  const seed = element("input", {
    type: "number",
    ...{
      min: 0,
      max: MAX_SEED,
      step: 1,
      placeholder: "seed",
      "aria-label": `Seed of the ${label}`,
    },
  });
  /** @type {[string, string][]} */
  const options = [
    [OWN, "This face"],
    [UNLISTED, "A seed:"],
    ...parents.map(
      (one, index) => /** @type {[string, string]} */ ([`${index}`, describeFace(one)]),
    ),
  ];
  const list = dropdown(options, OWN, choose, { "aria-label": `Parent of the ${label}` });
  /** @param {Parent | null} parent */
  function change(parent) {
    set(parent);
    onMix(layers, parent);
  }
  /** @param {string} value */
  function choose(value) {
    if (value === UNLISTED) return seed.focus();
    change(value === OWN ? null : parentOf(parents[Number(value)]));
  }
  seed.addEventListener("change", () => {
    if (seed.reportValidity()) change(seed.value === "" ? null : Number(seed.value));
  });
  /** @param {Parent | null} parent */
  function set(parent) {
    const index = parents.findIndex((one) => parentOf(one) === parent);
    list.value = parent == null ? OWN : String(index);
    seed.value = typeof parent === "number" ? String(parent) : "";
    picture.src = pictureUrl(faceOfParent(face, parent));
  }
  const random = button("Random", () => change(randomSeed()), {
    title: "Random parent",
    "aria-label": `Random parent of the ${label}`,
  });
  const title = element("span", { title: `Style layers ${layers}` }, name);
  return { root: element("div.layers", {}, picture, title, list, seed, random), set };
}

/**
 * Return the face of a parent, or of the face itself without its other parents.
 *
 * @param {Face} face
 * @param {Parent | null} parent
 */
function faceOfParent(face, parent) {
  const own = { ...face, moves: {}, mix: {} };
  if (parent == null) return own;
  if (typeof parent === "number") return faceFromSeed(face, parent);
  return { ...own, seed: null, latent: parent, label: null };
}
