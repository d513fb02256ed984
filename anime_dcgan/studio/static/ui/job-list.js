// @ts-check
/** The jobs at the bottom of the page. */

import { cancelJob } from "../state/api.js";
import { describeJob, followJob, isFinished } from "../state/jobs.js";
import { announce, notifyError } from "../state/messages.js";
import { button, byId, element, linkButton } from "./dom.js";

/** @import { Job } from "../state/types.d.ts" */

/**
 * Show a job until it is finished, then its download.
 *
 * @param {Promise<Job>} request
 * @param {string} name
 */
export async function showJob(request, name) {
  try {
    addRow(await request, name);
  } catch (error) {
    notifyError(error);
  }
}

/**
 * @param {Job} job
 * @param {string} name
 */
function addRow(job, name) {
  const state = element("span.quiet");
  const bar = element("progress", { max: 1, "aria-label": name });
  const cancel = button("Cancel", () => cancelJob(job.id).catch(notifyError));
  const attributes = { role: "group", "aria-label": name };
  const row = element("div.job", attributes, element("b", {}, name), state, bar, cancel);
  byId("jobs").append(row);
  followJob(job.id, (update) => {
    state.textContent = describeJob(update);
    bar.value = update.progress;
    if (!isFinished(update)) return;
    announce(`${name}: ${describeJob(update)}`);
    bar.remove();
    if (update.kind === "film" && update.file) row.prepend(filmPlayer(update, name));
    cancel.replaceWith(...finishedButtons(update, row));
  });
}

/**
 * @param {Job} job
 * @param {HTMLElement} row
 */
function finishedButtons(job, row) {
  const dismiss = button("Dismiss", () => row.remove());
  if (!job.file) return [dismiss];
  return [linkButton("Download", job.file, { class: "button primary", download: "" }), dismiss];
}

/**
 * Return a player that repeats a film.
 *
 * @param {Job} job
 * @param {string} name
 */
function filmPlayer({ file, file_name }, name) {
  if (!file_name?.endsWith(".mp4")) return element("img.film", { src: file, alt: name });
  const attributes = { src: file, controls: true, loop: true, autoplay: true, playsinline: true };
  const video = element("video.film", { ...attributes, "aria-label": name });
  video.muted = true;
  return video;
}
