/** All runs: what they are, how far they are, and what was made of them. */

import { element } from "../ui/dom.js";
import { imagesText, nameParts, onRuns, runs, settingsText, stopsOf, usualEpoch } from "../state/runs.js";
import { wallPicture } from "../state/api.js";
import { link } from "../state/router.js";

const FACES = 8;

/** @see router.start */
export function runsView(place) {
  const list = element("ul.runs");
  const rows = new Map();
  place.append(element("h1", {}, "Runs"), list);
  const render = () => {
    for (const run of runs()) rows.set(run.name, rowOf(run, rows.get(run.name)));
    list.replaceChildren(...runs().map((run) => rows.get(run.name)));
    if (!runs().length) list.replaceChildren(nothingYet());
  };
  render();
  return { title: "Runs", leave: onRuns(render), keys: {} };
}

/** A row is made anew only where its run has changed: a focus in it stays. */
function rowOf(run, old) {
  const state = JSON.stringify(run);
  if (old?.dataset.state === state) return old;
  const [name, folder] = nameParts(run);
  const stops = stopsOf(run);
  const epoch = stops.length ? usualEpoch(run) : null;
  const words = { run: run.name, epoch, weights: "ema", seed: 0 };
  const facts = [run.model, settingsText(run), imagesText(run.images), epochsText(run)].filter(Boolean).join(" · ");
  const text = element(
    "div", {},
    element("h2", {}, folder && element("small", {}, folder), name, run.running && element("span.live", {}, "training now")),
    element("p.quiet", {}, facts), verdictLine(run),
  );
  const able = epoch && !run.problem;
  const row = able ? element("a.run", { href: link("epochs", words) }, strip(words), text) : element("div.run", {}, text);
  return element("li", { data: { state } }, row);
}

function strip(words) {
  return element("img.strip", { src: wallPicture(words, 0, FACES, FACES / 2), alt: "", loading: "lazy" });
}

function epochsText({ epochs }) {
  return epochs.length ? `${epochs.length} saved epoch${epochs.length > 1 ? "s" : ""}` : "";
}

/** The verdict of a run with its best distance, or why it cannot be used. */
export function verdictLine(run) {
  if (run.problem) return element("p.problem", {}, run.problem);
  const best = run.best ? `best ${run.headline} ${Number(run.best.value.toPrecision(3))} in epoch ${run.best.epoch}` : "";
  const verdict = run.verdict && element(`b.verdict.${run.verdict.name}`, {}, run.verdict.name);
  return element("p", {}, verdict, verdict && best ? " · " : "", best);
}

/** What an empty folder needs. */
export function nothingYet() {
  return element(
    "div.empty", {}, element("h2", {}, "No faces yet"),
    element("p", {}, "Train something small first; it appears here by itself while it trains:"),
    element("pre", {}, "python -m anime_dcgan.train experiment=quickstart"),
  );
}
