// @ts-check
/** The runs, refreshed every few seconds so that the page follows a training in progress. */

import { getRuns } from "./api.js";
import { counted } from "./text.js";

/** @import { Run } from "./types.d.ts" */

const REFRESH_SECONDS = 3;

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {Run[]} */
let runs = [];
/** @type {string | null} */
let etag = null;
let timer = 0;

/** Return all runs: those in training first, then the newest. */
export const allRuns = () => runs;

/** Return true once the list has arrived. */
export const areRunsLoaded = () => etag !== null;

/** Return the runs that can render faces. */
export const usableRuns = () => runs.filter((run) => !run.problem && epochsOf(run).length);

/**
 * Return the run of a name, or undefined.
 *
 * @param {string | undefined} name
 */
export const findRun = (name) => runs.find((run) => run.name === name);

/**
 * Call `listener` whenever the runs change. Returns a function that unsubscribes it.
 *
 * @param {() => void} listener
 */
export function onRuns(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Request the runs now, then every few seconds while the page is visible. */
export async function watchRuns() {
  await refresh();
  const repeat = async () => {
    if (!document.hidden) await refresh().catch(() => {}); // the banner reports a lost server
    timer = setTimeout(repeat, REFRESH_SECONDS * 1000);
  };
  clearTimeout(timer);
  timer = setTimeout(repeat, REFRESH_SECONDS * 1000);
}

async function refresh() {
  const answer = await getRuns(etag);
  if (!answer) return;
  etag = answer.etag;
  runs = answer.runs.toSorted(
    (a, b) => Number(b.running) - Number(a.running) || b.updated - a.updated,
  );
  for (const listener of [...listeners]) listener();
}

/**
 * Return the epochs of a run in training order. "best" is listed only if there are no numbered
 * epochs, because it duplicates one of them.
 *
 * @param {Run} run
 */
export function epochsOf(run) {
  const best = run.aliases.includes("best") && !run.epochs.length ? ["best"] : [];
  return [...best, ...run.epochs, ...run.aliases.filter((name) => name === "last")];
}

/**
 * Return the epoch that is shown by default.
 *
 * @param {Run} run
 */
export function defaultEpoch(run) {
  return run.aliases.includes("best") ? "best" : epochsOf(run).at(-1);
}

/**
 * Return "epoch 12", "best epoch (9)" or "last epoch".
 *
 * @param {Run | undefined} run
 * @param {string | undefined} epoch
 */
export function describeEpoch(run, epoch) {
  if (epoch === "last") return "last epoch";
  if (epoch !== "best") return `epoch ${epoch}`;
  return run?.best?.epoch == null ? "best epoch" : `best epoch (${run.best.epoch})`;
}

/**
 * Return settings as "loss bce, batch 64".
 *
 * @param {Run} run
 */
export function describeSettings(run) {
  return Object.entries(run.settings)
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");
}

/**
 * Return "9,500 images" or "310k images".
 *
 * @param {number | null} images
 */
export function describeImages(images) {
  if (images == null) return "";
  if (images < 10000) return counted(images, "image");
  return `${Math.round(images / 1000).toLocaleString("en")}k images`;
}

/**
 * Return "begun from first, epoch 12, 310k images", or "" for a run that began with random weights.
 *
 * @param {Run} run
 */
export function describeOrigin({ origin }) {
  if (!origin) return "";
  return `begun from ${origin.run}, epoch ${origin.epoch}, ${describeImages(origin.images)}`;
}

/**
 * Return the last part of a run's name, which distinguishes the runs of a sweep, and its folders.
 *
 * @param {Run} run
 */
export function splitName(run) {
  const cut = run.name.lastIndexOf("/") + 1;
  return { name: run.name.slice(cut), folders: run.name.slice(0, cut) };
}
