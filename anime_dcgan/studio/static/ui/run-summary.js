// @ts-check
/** Short descriptions of runs. */

import { rounded } from "../state/text.js";
import { element } from "./dom.js";

/** @import { Run } from "../state/types.d.ts" */

/**
 * Return the verdict of a run with its best distance, or the reason why it cannot be used.
 *
 * @param {Run} run
 */
export function verdictLine(run) {
  if (run.problem) return element("p.problem", {}, run.problem);
  const best = run.best
    ? `best ${run.headline} ${rounded(run.best.value)} in epoch ${run.best.epoch}`
    : "";
  const verdict = run.verdict && element(`b.verdict.${run.verdict.name}`, {}, run.verdict.name);
  return element("p", {}, verdict, verdict && best ? " · " : "", best);
}

/** Return the placeholder of a view that waits for the list of runs. */
export function loadingRuns() {
  return element("p.quiet.loading", { role: "status" }, "Looking for runs…");
}

/** Return instructions for the case that there are no runs yet. */
export function noRuns() {
  return element(
    "div.empty",
    {},
    element("h2", {}, "No faces yet"),
    element("p", {}, "Train a small model first. It appears here while it trains:"),
    element("pre", {}, "python -m anime_dcgan.train experiment=quickstart"),
  );
}
