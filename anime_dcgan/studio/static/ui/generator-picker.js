// @ts-check
/** Controls for the generator: run, epoch, and averaged or raw weights. */

import { defaultEpoch, describeEpoch, findRun, onRuns, usableRuns } from "../state/runs.js";
import { element } from "./dom.js";
import { dropdown, labelled } from "./fields.js";
import { EMA } from "./term.js";

/** @import { GeneratorParams, Run, Weights } from "../state/types.d.ts" */

/**
 * Return the controls. Choosing another run keeps the epoch if that run has it.
 *
 * @param {(generator: GeneratorParams) => void} onchange
 * @param {{ epochs?: boolean }} [options] false omits the list of epochs
 */
export function generatorPicker(onchange, { epochs = true } = {}) {
  /** @type {GeneratorParams} */
  let chosen = {};
  /** @param {GeneratorParams} next */
  const choose = (next) => onchange({ ...next, digest: null });
  const run = dropdown([], "", (name) => choose(withRun(chosen, name)), { "aria-label": "Run" });
  const epoch = dropdown([], "", (value) => choose({ ...chosen, epoch: value }), {
    "aria-label": "Epoch",
  });
  const weights = weightsSwitch((value) => choose({ ...chosen, weights: value }));

  function render() {
    const names = usableRuns().map(({ name }) => name);
    const current = findRun(chosen.run);
    updateOptions(run, names, chosen.run, String);
    updateOptions(epoch, current ? epochOptions(current) : [], chosen.epoch, (value) =>
      describeEpoch(current, value),
    );
    weights.set(chosen.weights);
  }
  return {
    controls: [labelled("Run", run), epochs && labelled("Epoch", epoch), weights.root],
    /** @param {GeneratorParams} params */
    set(params) {
      chosen = { run: params.run, epoch: params.epoch, weights: params.weights };
      render();
    },
    leave: onRuns(render),
  };
}

/**
 * @param {GeneratorParams} chosen
 * @param {string} name
 * @returns {GeneratorParams}
 */
function withRun(chosen, name) {
  const run = findRun(name);
  const keepsEpoch = !run || epochOptions(run).includes(chosen.epoch ?? "");
  return { ...chosen, run: name, epoch: keepsEpoch ? chosen.epoch : defaultEpoch(run) };
}

/**
 * Return the named epochs, then the numbered ones, newest first.
 *
 * @param {Run} run
 */
function epochOptions(run) {
  return [...run.aliases, ...run.epochs.toReversed()];
}

/**
 * Change the options of a list only if they differ, because a change would close an open list.
 *
 * @param {HTMLSelectElement} select
 * @param {string[]} values
 * @param {string | undefined} value added if it is missing
 * @param {(value: string) => string} describe
 */
function updateOptions(select, values, value, describe) {
  const all = value == null || values.includes(value) ? values : [value, ...values];
  const options = all.map((value) => ({ value, text: describe(value) }));
  const state = JSON.stringify(options);
  if (select.dataset.options !== state) {
    select.replaceChildren(...options.map(({ value, text }) => element("option", { value }, text)));
    select.dataset.options = state;
  }
  select.value = value ?? "";
}

/**
 * Return two buttons, averaged and raw, of which one is pressed.
 *
 * @param {(weights: Weights) => void} onchange
 */
function weightsSwitch(onchange) {
  /**
   * @param {Weights} weights
   * @param {string} text
   * @param {string} title
   */
  const option = (weights, text, title) => {
    const attributes = { type: "button", title, onclick: () => onchange(weights) };
    return { weights, button: element("button", attributes, text) };
  };
  const options = [
    option("ema", "Smooth", `${EMA.term} ${EMA.explanation}`),
    option("raw", "Latest", "The weights of the last step of the training, not averaged"),
  ];
  const buttons = options.map(({ button }) => button);
  return {
    root: element("div.switch", { role: "group", "aria-label": "Weights" }, ...buttons),
    /** @param {string | undefined} chosen */
    set(chosen) {
      for (const { weights, button } of options)
        button.setAttribute("aria-pressed", String(weights === chosen));
    },
  };
}
