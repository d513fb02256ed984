/** How faces became what they are: the same seeds over the epochs of a run, or of two. */

import { getRun } from "../state/api.js";
import { button, element, menu, numberBox, release } from "../ui/dom.js";
import { LAST_SEED, randomSeed, toQuery } from "../state/face.js";
import { toggleFavourite } from "../state/favourites.js";
import { distanceCurve } from "../ui/distance-curve.js";
import { epochSlider } from "../ui/epoch-slider.js";
import { latestOnly } from "../state/scheduling.js";
import { sayError } from "../ui/notice.js";
import { generatorPicker } from "../ui/generator-picker.js";
import { go, note, replace } from "../state/router.js";
import { onRuns, runNamed } from "../state/runs.js";
import { verdictLine } from "./runs.js";
import { keepMarked, seedTiles, walkable } from "../ui/tiles.js";
import { toggleTray } from "../state/selection.js";
import { lookControls, onFocused } from "./wall.js";

const SHOWN = 32;

/** @see router.start */
export function epochsView(place) {
  let words = {};
  const panes = [];
  const shift = (changes) => replace("epochs", { ...words, ...changes });
  const seed = numberBox("Seed", 0, (value) => shift({ seed: value }), { min: 0, max: LAST_SEED, step: 1 });
  const beside = button("Side by side", () => shift(words.run2 ? WITHOUT : doubled(words)));
  const bar = element(
    "div.bar", { role: "toolbar", "aria-label": "What is compared" },
    seed, button("Random", () => shift({ seed: randomSeed() }), { title: "Other faces (R)" }), beside, menu("Look", ...lookControls()),
  );
  const host = element("div.panes");
  place.append(bar, host);

  const write = (changes) => note("epochs", Object.assign(words, changes));
  function update(next) {
    words = next;
    seed.querySelector("input").value = words.seed;
    beside.setAttribute("aria-pressed", Boolean(words.run2));
    const wanted = words.run2 ? ["", "2"] : [""];
    while (panes.length > wanted.length) panes.pop().leave();
    while (panes.length < wanted.length) panes.push(pane(host, wanted[panes.length], shift, write));
    host.classList.toggle("two", panes.length > 1);
    panes.forEach((one, index) => one.update(sideOf(words, wanted[index])));
  }
  return {
    title: "Epochs",
    update,
    leave: () => panes.forEach((one) => one.leave()),
    keys: {
      r: () => shift({ seed: randomSeed() }),
      f: () => onFocused((one) => toggleFavourite(one.face)),
      " ": () => onFocused((one) => toggleTray(one.face)),
      ",": () => panes[0].step(-1),
      ".": () => panes[0].step(1),
    },
  };
}

const WITHOUT = { run2: null, epoch2: null, weights2: null };

/** The same once more, at the first epoch: what has become of it is seen at once. */
function doubled(words) {
  const first = runNamed(words.run)?.epochs[0] ?? words.epoch;
  return { run2: words.run, epoch2: first, weights2: words.weights };
}

function sideOf(words, side) {
  return {
    run: words[`run${side}`],
    epoch: words[`epoch${side}`],
    weights: words[`weights${side}`] ?? "ema",
    seed: Number(words.seed ?? 0),
    truncation: words.truncation,
  };
}

/** One run: its curve, its slider, and its faces. */
function pane(host, side, shift, write) {
  const renamed = (words) => Object.fromEntries(Object.entries(words).map(([key, value]) => [key + side, value]));
  const picker = generatorPicker((chosen) => shift(renamed(chosen)), { epochs: false });
  const about = element("div.about-run");
  const tiles = element("div.wall", { role: "group", "aria-label": "The same seeds" });
  const slider = epochSlider((epoch) => atEpoch(epoch));
  const root = element(
    "section.pane", { "aria-label": side ? "Second run" : "Run" },
    element("div.head", {}, ...picker.parts), about, slider.root, tiles,
  );
  let words = {};
  let run = null;
  let address = null;
  host.append(root);
  tiles.addEventListener("click", (event) => {
    const one = event.target.closest(".tile");
    if (one) event.shiftKey || event.ctrlKey ? toggleTray(one.face) : go("face", toQuery(one.face));
  });
  const restop = walkable(tiles);
  const ends = [keepMarked(tiles), picker.leave, onRuns(() => refresh())];

  const draw = latestOnly(
    async (wish) => {
      const { tiles: made, painted } = seedTiles(wish, wish.seed, SHOWN);
      return { made, picture: await painted };
    },
    ({ made, picture }) => exchange(made, picture),
    sayError,
  );
  /** Faces take the place of those before them at once: the eye sees what changes. */
  function exchange(made, picture) {
    const focused = [...tiles.children].indexOf(document.activeElement);
    tiles.replaceChildren(...made);
    if (focused >= 0) tiles.children[focused].focus({ preventScroll: true });
    release(address);
    address = picture;
    restop();
  }
  function atEpoch(epoch) {
    words = { ...words, epoch };
    write(renamed({ epoch }));
    showRun();
    draw(words);
  }
  function showRun() {
    picker.set(words);
    if (run) about.replaceChildren(verdictLine(run), distanceCurve(run, words.epoch, (epoch) => atEpoch(slider.nearest(epoch))));
    slider.set(runNamed(words.run), words);
  }
  async function refresh() {
    const asked = words.run;
    const known = runNamed(asked);
    if (!known) return;
    const grown = slider.grown(known, words.epoch);
    if (grown) atEpoch(grown);
    if (run?.name === asked && run.updated === known.updated && run.running === known.running) return showRun();
    const found = await getRun(asked).catch(sayError);
    if (!found || asked !== words.run) return;
    run = found;
    showRun();
  }
  return {
    update(next) {
      const same = JSON.stringify(next) === JSON.stringify(words);
      words = next;
      if (run?.name !== words.run) run = null;
      showRun();
      refresh();
      if (!same) draw(words);
    },
    step: (by) => slider.step(by),
    leave: () => (ends.forEach((end) => end()), root.remove(), release(address)),
  };
}
