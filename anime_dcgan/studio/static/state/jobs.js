// @ts-check
/** Background jobs of the server. */

import { getJob } from "./api.js";
import { OfflineError } from "./errors.js";
import { notifyError } from "./messages.js";

/** @import { Job } from "./types.d.ts" */

const PERIOD = 400; // ms
const FINISHED = new Set(["done", "failed", "cancelled"]);

/**
 * Poll the state of a job until it is finished. Returns a function that stops the polling, but not
 * the job.
 *
 * @param {string} id
 * @param {(job: Job) => void} onUpdate
 * @returns {() => void}
 */
export function followJob(id, onUpdate) {
  let timer = 0;
  let stopped = false;
  const request = async () => {
    try {
      const job = await getJob(id);
      if (stopped) return;
      onUpdate(job);
      if (isFinished(job)) return;
    } catch (error) {
      if (!(error instanceof OfflineError)) return notifyError(error);
    }
    if (!stopped) timer = setTimeout(request, PERIOD);
  };
  request();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** @param {Job} job */
export const isFinished = (job) => FINISHED.has(job.state);

/**
 * Return a short description of a job's state.
 *
 * @param {Job} job
 */
export function describeJob(job) {
  if (job.state === "waiting") return "waiting for another job";
  if (job.state === "failed") return job.error ?? "failed";
  if (job.state !== "running") return job.state;
  const left = job.seconds_left == null ? "" : `, ${Math.ceil(job.seconds_left)} s left`;
  return `${Math.round(job.progress * 100)}%${left}`;
}
