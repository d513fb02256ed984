// @ts-check
/** Short descriptions of runs. */

import { notify } from "../state/messages.js";
import { rounded } from "../state/text.js";
import { button, element } from "./dom.js";

export const TRAIN = "python -m anime_dcgan.train experiment=quickstart";

/** @import { Run } from "../state/types.d.ts" */

/**
 * Return the verdict of a run with its best distance, or the reason why it cannot be used.
 *
 * @param {Run} run
 */
export function verdictLine(run) {
  if (run.problem) return element("p.problem", {}, run.problem);
  if (run.packaged) return element("p", {}, "comes with the program; yours: ", TRAIN);
  const best = run.best
    ? `best in epoch ${run.best.epoch} (distance ${run.headline} ${rounded(run.best.value)})`
    : "";
  const verdict = run.verdict && element(`b.verdict.${run.verdict.name}`, {}, run.verdict.name);
  return element("p", {}, verdict, verdict && best ? " · " : "", best);
}

/** Return the placeholder of a view that waits for the list of runs. */
export function loadingRuns() {
  return element("p.quiet.loading", { role: "status" }, "Looking for runs…");
}

async function copyCommand() {
  try {
    await navigator.clipboard.writeText(TRAIN);
    notify("Copied: paste it into a terminal.");
  } catch {
    notify("The browser blocked access to the clipboard: select the command instead.");
  }
}

/** Return instructions for the case that there are no runs yet. */
export function noRuns() {
  const copy = button("Copy the command", () => copyCommand(), { class: "primary" });
  return element(
    "div.empty",
    {},
    element("img.welcome", { src: "/static/icon.svg", alt: "" }),
    element("h2", {}, "No faces yet"),
    element("p", {}, "Your studio fills itself: train a small model, and its faces appear here."),
    element("pre", {}, TRAIN),
    copy,
  );
}
