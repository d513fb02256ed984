// @ts-check
/** The same seeds over the epochs of a run, or of two runs side by side. */

import { MAX_SEED, randomSeed } from "../state/face.js";
import { replace, updateAddress } from "../state/router.js";
import { findRun } from "../state/runs.js";
import { displayMenu } from "../ui/display-menu.js";
import { button, element } from "../ui/dom.js";
import { numberBox } from "../ui/fields.js";
import { tileKeys } from "../ui/tiles.js";
import { epochPane } from "./epoch-pane.js";

/**
 * @import { ParamValues, Params, View } from "../state/types.d.ts"
 * @import { PaneParams } from "./epoch-pane.js"
 */

/** Suffixes of the parameters, one per pane. */
const SUFFIXES = ["", "2"];
const ONE_PANE = { run2: null, epoch2: null, weights2: null };

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function epochsView(container) {
  /** @type {Params} */
  let params = {};
  /** @type {ReturnType<typeof epochPane>[]} */
  const panes = [];
  /** @param {ParamValues} changes */
  const change = (changes) => replace("epochs", { ...params, ...changes });
  const randomize = () => change({ seed: randomSeed() });
  const seed = numberBox("Seed", { min: 0, max: MAX_SEED }, (value) => change({ seed: value }));
  const sideBySide = button("Side by side", () =>
    change(params.run2 ? ONE_PANE : secondPane(params)),
  );
  const bar = element(
    "div.bar",
    { role: "toolbar", "aria-label": "Faces to compare" },
    seed,
    button("Random", randomize, { title: "Random seed (R)" }),
    sideBySide,
    displayMenu(),
  );
  const host = element("div.panes");
  container.append(bar, host);

  /** @param {string} suffix */
  const addPane = (suffix) =>
    epochPane(host, {
      label: suffix ? "Second run" : "Run",
      change: (changes) => change(withSuffix(changes, suffix)),
      // The pane shows the epoch already: only the address follows.
      onEpoch(epoch) {
        Object.assign(params, withSuffix({ epoch }, suffix));
        updateAddress("epochs", params);
      },
    });

  return {
    title: "Epochs",
    update(next) {
      params = next;
      seed.input.value = params.seed ?? "";
      sideBySide.setAttribute("aria-pressed", String(Boolean(params.run2)));
      const count = params.run2 ? 2 : 1;
      while (panes.length > count) panes.pop()?.leave();
      while (panes.length < count) panes.push(addPane(SUFFIXES[panes.length]));
      host.classList.toggle("two", count === 2);
      panes.forEach((pane, index) => pane.update(paneParams(params, SUFFIXES[index])));
    },
    leave: () => panes.forEach((pane) => pane.leave()),
    keys: {
      ...tileKeys(),
      r: randomize,
      ",": () => panes[0].step(-1),
      ".": () => panes[0].step(1),
    },
  };
}

/**
 * Return the parameters of a second pane: the same run at its first epoch.
 *
 * @param {Params} params
 */
function secondPane({ run, epoch, weights }) {
  return { run2: run, epoch2: findRun(run)?.epochs[0] ?? epoch, weights2: weights };
}

/**
 * @param {ParamValues} params
 * @param {string} suffix
 */
function withSuffix(params, suffix) {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name + suffix, value]));
}

/**
 * @param {Params} params
 * @param {string} suffix
 * @returns {PaneParams}
 */
function paneParams(params, suffix) {
  return {
    run: params[`run${suffix}`],
    epoch: params[`epoch${suffix}`],
    weights: params[`weights${suffix}`] ?? "ema",
    seed: Number(params.seed ?? 0),
    truncation: params.truncation,
  };
}
