/** The runs, asked for again and again, so that a training that goes on is seen to go on. */

import { getRuns } from "./api.js";
import { counted } from "../ui/dom.js";

const SECONDS = 3;
const listeners = new Set();
let known = [];
let etag = null;
let timer = null;

/** All runs, the newest first. */
export const runs = () => known;

/** Those that faces can be drawn from. */
export const usable = () => known.filter((run) => !run.problem && stopsOf(run).length);

/** The run of a name, or undefined. */
export const runNamed = (name) => known.find((run) => run.name === name);

/** Call `listener(runs)` whenever they change; gives the function that ends this. */
export function onRuns(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Ask once, and then every few seconds while the page is seen. */
export async function watchRuns() {
  await refresh();
  const again = async () => {
    if (!document.hidden) await refresh().catch(() => {}); // the lost server is told elsewhere
    timer = setTimeout(again, SECONDS * 1000);
  };
  clearTimeout(timer);
  timer = setTimeout(again, SECONDS * 1000);
}

async function refresh() {
  const answer = await getRuns(etag);
  if (!answer) return;
  etag = answer.etag;
  known = answer.runs.toSorted((one, other) => other.running - one.running || other.updated - one.updated);
  for (const listener of [...listeners]) listener(known);
}

/** The epochs of a run in the order of training; the best has a number, and comes first if not. */
export function stopsOf(run) {
  const named = run.named ?? [];
  const best = named.includes("best") && !run.epochs.length ? ["best"] : [];
  return [...best, ...run.epochs, ...named.filter((name) => name === "last")];
}

/** The epoch that a run is shown at unless another is asked for. */
export function usualEpoch(run) {
  if (run.named?.includes("best")) return "best";
  return stopsOf(run).at(-1);
}

/** "epoch 12", "best epoch (9)", "last epoch". */
export function epochText(run, epoch) {
  if (epoch === "last") return "last epoch";
  if (epoch !== "best") return `epoch ${epoch}`;
  return run?.best?.epoch == null ? "best epoch" : `best epoch (${run.best.epoch})`;
}

/** "loss bce, batch 64". */
export function settingsText(run) {
  return Object.entries(run.settings ?? {}).map(([key, value]) => `${key} ${value}`).join(", ");
}

/** "310 thousand images". */
export function imagesText(images) {
  if (images == null) return "";
  return images < 10000 ? counted(images, "image") : `${Math.round(images / 1000).toLocaleString("en")} thousand images`;
}

/** The last part of a name, which tells runs of one sweep apart, and the folders before it. */
export function nameParts(run) {
  const cut = run.name.lastIndexOf("/") + 1;
  return [run.name.slice(cut), run.name.slice(0, cut)];
}
