/** Which generator draws: run, epoch, and averaged or raw weights. */

import { choice, element, labelled } from "./dom.js";
import { epochText, onRuns, runNamed, stopsOf, usable, usualEpoch } from "../state/runs.js";

/**
 * Three controls. `onchange({run, epoch, weights})` is called with what was chosen; another run
 * keeps the epoch where it has the same.
 *
 * @returns {{parts: HTMLElement[], set: (words: object) => void, leave: () => void}}
 */
export function generatorPicker(onchange, { epochs = true } = {}) {
  let words = {};
  const run = choice([], "", (name) => onchange(atRun(words, name)), { "aria-label": "Run" });
  const epoch = choice([], "", (next) => onchange({ ...words, epoch: next }), { "aria-label": "Epoch" });
  const weights = weightsSwitch((next) => onchange({ ...words, weights: next }));
  const set = ({ run, epoch, weights }) => ((words = { run, epoch, weights }), render());
  const parts = [labelled("Run", run), epochs && labelled("Epoch", epoch), weights].filter(Boolean);

  function render() {
    offer(run, withChosen(usable().map(({ name }) => [name, name]), words.run), words.run);
    const of = runNamed(words.run);
    const stops = of ? [...new Set([...(of.named ?? []), ...of.epochs.toReversed()])] : [];
    offer(epoch, withChosen(stops.map((stop) => [stop, epochText(of, stop)]), words.epoch), words.epoch);
    weights.set(words.weights);
  }
  return { parts, set, leave: onRuns(render) };
}

function atRun(words, name) {
  const run = runNamed(name);
  const has = run && (stopsOf(run).includes(words.epoch) || run.named?.includes(words.epoch));
  return { ...words, run: name, epoch: has || !run ? words.epoch : usualEpoch(run) };
}

function withChosen(options, value) {
  const missing = value != null && !options.some(([key]) => key === value);
  return missing ? [[value, value], ...options] : options;
}

/** Change a list in place, unless it is as it was: an open list must not be closed. */
function offer(select, options, value) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.replaceChildren(...options.map(([key, text]) => element("option", { value: key }, text)));
    select.dataset.options = wanted;
  }
  select.value = value;
}

/** Averaged or raw: two buttons of which one is pressed. */
export function weightsSwitch(onchange) {
  const make = (weights, text, title) =>
    element("button", { type: "button", title, data: { weights }, onclick: () => onchange(weights) }, text);
  const made = element(
    "div.switch", { role: "group", "aria-label": "Weights" },
    make("ema", "EMA", "The averaged generator"), make("raw", "Raw", "The generator as it was trained"),
  );
  made.set = (chosen) => {
    for (const one of made.children) one.setAttribute("aria-pressed", one.dataset.weights === chosen);
  };
  return made;
}
