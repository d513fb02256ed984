/** Work that takes a while: it is shown at the edge of the page until it is done. */

import { cancelJob, getJob } from "./api.js";
import { button, element } from "../ui/dom.js";
import { announce, sayError } from "../ui/notice.js";

const PERIOD = 400; // ms
const OVER = new Set(["done", "failed", "cancelled"]);

/**
 * Ask for a job until it is over; `onstep(job)` hears each answer.
 *
 * @returns {() => void} ends the asking, not the job
 */
export function followJob(id, onstep) {
  let timer = null;
  let ended = false;
  const ask = async () => {
    try {
      const job = await getJob(id);
      if (ended) return;
      onstep(job);
      if (OVER.has(job.state)) return;
    } catch (error) {
      if (!error.lost) return sayError(error); // a lost server may come back
    }
    if (!ended) timer = setTimeout(ask, PERIOD);
  };
  ask();
  return () => ((ended = true), clearTimeout(timer));
}

export const isOver = (job) => OVER.has(job.state);

/** What a job does now, in a line. */
export function jobText(job) {
  if (job.state === "waiting") return "waits for another";
  if (job.state === "failed") return job.error ?? "failed";
  if (job.state !== "running") return job.state;
  const left = job.seconds_left == null ? "" : `, ${Math.ceil(job.seconds_left)} s left`;
  return `${Math.round(job.progress * 100)} %${left}`;
}

/** Show a film or a zip that is being made, with its download at the end. */
export function addJob(job, name) {
  const state = element("span.quiet");
  const bar = element("progress", { max: 1, "aria-label": name });
  const stop = button("Cancel", () => cancelJob(job.id).catch(sayError));
  const row = element("div.job", { role: "group", "aria-label": name }, element("b", {}, name), state, bar, stop);
  document.getElementById("jobs").append(row);
  followJob(job.id, (now) => {
    state.textContent = jobText(now);
    bar.value = now.progress;
    if (isOver(now)) finish(row, now, name);
  });
}

function finish(row, job, name) {
  announce(`${name}: ${jobText(job)}`);
  const [bar, stop] = [row.querySelector("progress"), row.querySelector("button")];
  bar.remove();
  const dismiss = button("Dismiss", () => row.remove());
  if (job.file) stop.replaceWith(element("a.button.primary", { href: job.file, download: "" }, "Download"), dismiss);
  else stop.replaceWith(dismiss);
}
