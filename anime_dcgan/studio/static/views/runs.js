// @ts-check
/** All runs with their progress. */

import { wallUrl } from "../state/api.js";
import { link } from "../state/router.js";
import {
  allRuns,
  defaultEpoch,
  describeImages,
  describeOrigin,
  describeSettings,
  onRuns,
  splitName,
} from "../state/runs.js";
import { counted } from "../state/text.js";
import { element } from "../ui/dom.js";
import { noRuns, verdictLine } from "../ui/run-summary.js";

/** @import { Run, View } from "../state/types.d.ts" */

const FACES = 8;

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function runsView(container) {
  const list = element("ul.runs");
  /** @type {Map<string, { state: string, row: HTMLElement }>} */
  let rows = new Map();
  container.append(element("h1", {}, "Runs"), list);
  // Rows of unchanged runs are reused, so that they retain the focus.
  const render = () => {
    rows = new Map(
      allRuns().map((run) => {
        const state = JSON.stringify(run);
        const old = rows.get(run.name);
        return [run.name, old?.state === state ? old : { state, row: createRow(run) }];
      }),
    );
    const children = [...rows.values()].map(({ row }) => row);
    list.replaceChildren(...(children.length ? children : [noRuns()]));
  };
  render();
  return { title: "Runs", leave: onRuns(render) };
}

/** @param {Run} run */
function createRow(run) {
  const { name, folders } = splitName(run);
  const facts = [
    run.model,
    describeSettings(run),
    describeImages(run.images),
    run.epochs.length && counted(run.epochs.length, "saved epoch"),
    describeOrigin(run),
  ];
  const text = element(
    "div",
    {},
    element(
      "h2",
      {},
      folders && element("small", {}, folders),
      name,
      run.running && element("span.live", {}, "training now"),
    ),
    element("p.quiet", {}, facts.filter(Boolean).join(" · ")),
    verdictLine(run),
  );
  const epoch = defaultEpoch(run);
  if (!epoch || run.problem) return element("li", {}, element("div.run", {}, text));
  const params = { run: run.name, epoch, weights: "ema", seed: 0 };
  const src = wallUrl(params, 0, FACES, FACES / 2);
  const hide = () => (sample.hidden = true);
  const sample = element("img.sample", { src, alt: "", loading: "lazy", onerror: hide });
  return element("li", {}, element("a.run", { href: link("epochs", params) }, sample, text));
}
