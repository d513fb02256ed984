// @ts-check
/** All runs with their progress: sorted, searched and filtered. */

import { previewUrl } from "../state/api.js";
import { link, updateAddress } from "../state/router.js";
import {
  allRuns,
  areRunsLoaded,
  defaultEpoch,
  describeImages,
  describeOrigin,
  describeSettings,
  onRuns,
  splitName,
} from "../state/runs.js";
import { debounced } from "../state/scheduling.js";
import { counted } from "../state/text.js";
import { element } from "../ui/dom.js";
import { dropdown, labelled } from "../ui/fields.js";
import { lazyPictures } from "../ui/lazy-pictures.js";
import { loadingRuns, noRuns, verdictLine } from "../ui/run-summary.js";

/** @import { ParamValues, Params, Run, View } from "../state/types.d.ts" */

const SEARCH_DELAY = 150; // ms

/** @type {Record<string, { text: string, compare: (a: Run, b: Run) => number }>} */
const ORDERS = {
  newest: { text: "Newest first", compare: () => 0 },
  name: { text: "Name", compare: (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }) },
  best: { text: "Best distance", compare: (a, b) => distanceOf(a) - distanceOf(b) },
  images: { text: "Most images", compare: (a, b) => (b.images ?? 0) - (a.images ?? 0) },
};
/** @type {Record<string, { text: string, matches: (run: Run) => boolean }>} */
const FILTERS = {
  all: { text: "All runs", matches: () => true },
  running: { text: "Training now", matches: (run) => run.running },
  usable: { text: "With faces", matches: (run) => !run.problem && defaultEpoch(run) !== undefined },
  problem: { text: "With a problem", matches: (run) => run.problem !== null },
};

/** @param {Run} run */
const distanceOf = (run) => run.best?.value ?? Infinity;

/**
 * @param {HTMLElement} container
 * @param {Params} first
 * @returns {View}
 */
export function runsView(container, first) {
  let params = first;
  const pictures = lazyPictures();
  const list = element("ul.runs");
  const count = element("p.quiet", { role: "status" });
  /** @type {Map<string, { state: string, row: HTMLElement }>} */
  const rows = new Map();

  /** @param {ParamValues} changes */
  const change = (changes) => {
    updateAddress("runs", { ...params, ...changes });
    params = /** @type {Params} */ ({ ...params, ...changes });
    render();
  };
  const controls = runControls(params, change);
  container.append(element("h1", {}, "Runs"), controls.root, count, list);

  /** @param {Run} run */
  function rowOf(run) {
    const state = JSON.stringify(run);
    const old = rows.get(run.name);
    const kept = old?.state === state ? old : { state, row: createRow(run, pictures.add) };
    rows.set(run.name, kept);
    return kept.row;
  }
  // Rows of unchanged runs are reused, so that they retain the focus.
  function render() {
    const runs = allRuns();
    const shown = runs.length ? selectRuns(runs, params) : [];
    controls.root.hidden = !runs.length;
    count.textContent = runs.length ? describeCount(shown.length, runs.length) : "";
    const placeholder = areRunsLoaded() ? noRuns() : loadingRuns();
    list.replaceChildren(...(runs.length ? shown.map(rowOf) : [element("li", {}, placeholder)]));
  }
  render();
  const unsubscribe = onRuns(render);
  return {
    title: "Runs",
    leave() {
      controls.leave();
      unsubscribe();
      pictures.leave();
    },
    keys: {
      "/": () => /** @type {HTMLElement | null} */ (controls.root.querySelector("input"))?.focus(),
    },
  };
}

/**
 * @param {Params} params
 * @param {(changes: ParamValues) => void} change
 */
function runControls(params, change) {
  const search = element("input", {
    type: "search",
    placeholder: "Search name or settings",
    "aria-label": "Search runs",
    value: params.text ?? "",
  });
  const searchLater = debounced(() => change({ text: search.value.trim() || null }), SEARCH_DELAY);
  search.addEventListener("input", searchLater);
  const show = dropdown(options(FILTERS), params.show ?? "all", (value) =>
    change({ show: value === "all" ? null : value }),
  );
  const order = dropdown(options(ORDERS), params.order ?? "newest", (value) =>
    change({ order: value === "newest" ? null : value }),
  );
  const root = element(
    "div.bar",
    { role: "toolbar", "aria-label": "Runs to show" },
    search,
    labelled("Show", show),
    labelled("Order", order),
  );
  return { root, leave: searchLater.cancel };
}

/**
 * @param {Record<string, { text: string }>} choices
 * @returns {[string, string][]}
 */
const options = (choices) => Object.entries(choices).map(([value, { text }]) => [value, text]);

/**
 * Return the runs that match the search and the filter, in the chosen order.
 *
 * @param {Run[]} runs
 * @param {Params} params
 */
function selectRuns(runs, { text = "", show = "", order = "" }) {
  const terms = text.toLowerCase().split(/\s+/).filter(Boolean);
  const { matches } = Object.hasOwn(FILTERS, show) ? FILTERS[show] : FILTERS.all;
  const { compare } = Object.hasOwn(ORDERS, order) ? ORDERS[order] : ORDERS.newest;
  return runs
    .filter((run) => matches(run) && terms.every((term) => searchText(run).includes(term)))
    .toSorted(compare);
}

/** @param {Run} run */
function searchText(run) {
  const parts = [run.name, run.model, describeSettings(run), run.verdict?.name ?? ""];
  return parts.join(" ").toLowerCase();
}

/**
 * @param {number} shown
 * @param {number} all
 */
function describeCount(shown, all) {
  return shown === all ? counted(all, "run") : `${shown} of ${counted(all, "run")}`;
}

/**
 * @param {Run} run
 * @param {(image: HTMLImageElement, url: string) => void} addPicture
 */
function createRow(run, addPicture) {
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
  const sample = element("img.sample", { alt: "" });
  addPicture(sample, previewUrl(run.name, epoch));
  return element("li", {}, element("a.run", { href: link("epochs", params) }, sample, text));
}
