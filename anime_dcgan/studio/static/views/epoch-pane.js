// @ts-check
/** One run of the epochs view: its curve, the slider over its epochs, and its faces. */

import { getRun } from "../state/api.js";
import { notifyError } from "../state/messages.js";
import { describeOrigin, findRun, onRuns } from "../state/runs.js";
import { latestOnly } from "../state/scheduling.js";
import { capitalised } from "../state/text.js";
import { distanceCurve } from "../ui/distance-curve.js";
import { element, revokeLater } from "../ui/dom.js";
import { epochSlider } from "../ui/epoch-slider.js";
import { generatorPicker } from "../ui/generator-picker.js";
import { verdictLine } from "../ui/run-summary.js";
import { arrowNavigation, keepTilesUpdated, onTileClick, seedTiles } from "../ui/tiles.js";

/** @import { GeneratorParams, ParamValues, RunDetails } from "../state/types.d.ts" */

/** @typedef {GeneratorParams & { seed: number }} PaneParams */

const FACES = 32;

/**
 * @param {HTMLElement} host
 * @param {object} options
 * @param {string} options.label
 * @param {(changes: ParamValues) => void} options.change called with another run or weights
 * @param {(epoch: string) => void} options.onEpoch called when the pane shows another epoch
 */
export function epochPane(host, { label, change, onEpoch }) {
  const picker = generatorPicker((generator) => change({ ...generator }), { epochs: false });
  const about = element("div.about-run");
  const slider = epochSlider(showEpoch);
  const faces = seedGrid();
  const head = element("div.head", {}, ...picker.controls);
  const attributes = { "aria-label": label };
  const root = element("section.pane", attributes, head, about, slider.root, faces.root);
  host.append(root);
  /** @type {PaneParams} */
  let params = { seed: 0 };
  /** @type {RunDetails | null} */
  let details = null;

  /** @param {string} epoch */
  function showEpoch(epoch) {
    params = { ...params, epoch };
    onEpoch(epoch);
    showRun();
    faces.draw(params);
  }
  function showRun() {
    picker.set(params);
    slider.set(findRun(params.run), params);
    if (!details) return;
    const curve = distanceCurve(details, params.epoch, (epoch) => showEpoch(slider.nearest(epoch)));
    const origin = describeOrigin(details);
    const begun = origin && element("p.quiet", {}, capitalised(origin));
    about.replaceChildren(verdictLine(details), begun, curve);
  }
  async function refresh() {
    const run = findRun(params.run);
    if (!run) return;
    const next = slider.nextEpoch(run, params.epoch);
    if (next) showEpoch(next);
    if (details && isUpToDate(details, run)) return showRun();
    const loaded = await getRun(run.name).catch(notifyError);
    if (!loaded || run.name !== params.run) return;
    details = loaded;
    showRun();
  }
  const unsubscribe = onRuns(refresh);
  return {
    /** @param {PaneParams} next */
    update(next) {
      const isSame = JSON.stringify(next) === JSON.stringify(params);
      params = next;
      if (details?.name !== params.run) details = null;
      showRun();
      refresh();
      if (!isSame) faces.draw(params);
    },
    /** @param {number} offset */
    step: (offset) => slider.step(offset),
    leave() {
      unsubscribe();
      picker.leave();
      faces.leave();
      root.remove();
    },
  };
}

/**
 * @param {RunDetails} details
 * @param {import("../state/types.d.ts").Run} run
 */
function isUpToDate(details, run) {
  return (
    details.name === run.name && details.updated === run.updated && details.running === run.running
  );
}

/** Return a grid of seeds; the next picture replaces the previous one once it is loaded. */
function seedGrid() {
  const root = element("div.wall", { role: "group", "aria-label": "Faces" });
  /** @type {string | null} */
  let url = null;
  onTileClick(root);
  const updateTabStop = arrowNavigation(root);
  const stopUpdates = keepTilesUpdated(root);
  const draw = latestOnly(
    async (/** @type {PaneParams} */ params) => {
      const { tiles, painted } = seedTiles(params, params.seed, FACES);
      return { tiles, url: await painted };
    },
    (next) => {
      const focused = [...root.children].findIndex((tile) => tile === document.activeElement);
      root.replaceChildren(...next.tiles);
      next.tiles[focused]?.focus({ preventScroll: true });
      revokeLater(url);
      url = next.url;
      updateTabStop();
    },
    notifyError,
  );
  return {
    root,
    draw,
    leave() {
      stopUpdates();
      revokeLater(url);
    },
  };
}
