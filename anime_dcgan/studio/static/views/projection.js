// @ts-check
/** Projection: the face of a generator that is closest to a picture. */

import { cancelJob, projectionTargetUrl, startProjection } from "../state/api.js";
import { toQuery } from "../state/face.js";
import { describeJob, followJob, isFinished } from "../state/jobs.js";
import { announce, notify, notifyError } from "../state/messages.js";
import { go, replace } from "../state/router.js";
import { save } from "../state/saved.js";
import { button, element } from "../ui/dom.js";
import { slider } from "../ui/fields.js";
import { generatorPicker } from "../ui/generator-picker.js";
import { liveImage } from "../ui/live-image.js";

/** @import { Face, Job, Params, View } from "../state/types.d.ts" */

const MAX_BYTES = 10 * 1024 ** 2;
const TITLE = "Find a face for a picture";

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function projectionView(container) {
  /** @type {{ leave: () => void } | null} */
  let shown = null;
  return {
    title: "Projection",
    update(params) {
      shown?.leave();
      shown = params.job
        ? showProgress(container, params, params.job)
        : showForm(container, params);
    },
    leave: () => shown?.leave(),
  };
}

/**
 * @param {HTMLElement} container
 * @param {Params} params
 */
function showForm(container, params) {
  const picker = generatorPicker((generator) => replace("projection", { ...params, ...generator }));
  const steps = slider("Steps", { min: 50, max: 1000, step: 50, value: 300 });
  /** @param {File | null | undefined} file */
  const upload = (file) => file && start(file, params, steps.input.value);
  const input = element("input", { type: "file", accept: "image/*", id: "picture-file" });
  input.addEventListener("change", () => upload(input.files?.[0]));
  const drop = element(
    "label.drop",
    { for: "picture-file" },
    element("b", {}, "Drop a picture here, or choose one"),
    element(
      "span.quiet",
      {},
      "Works best if the face fills the picture, which stays on this machine.",
    ),
    input,
  );
  onDrop(drop, upload);
  picker.set(params);
  const attributes = { role: "toolbar", "aria-label": "Generator and steps" };
  const bar = element("div.bar", attributes, ...picker.controls, steps);
  container.replaceChildren(bar, element("h1", {}, TITLE), drop);
  return { leave: picker.leave };
}

/**
 * @param {HTMLElement} target
 * @param {(file: File | undefined) => unknown} onFile
 */
function onDrop(target, onFile) {
  /** @param {DragEvent} event */
  const highlight = (event) => {
    event.preventDefault();
    target.classList.toggle("over", event.type === "dragover");
  };
  target.addEventListener("dragover", highlight);
  target.addEventListener("dragleave", highlight);
  target.addEventListener("drop", (event) => {
    highlight(event);
    onFile(event.dataTransfer?.files[0]);
  });
}

/**
 * @param {File} file
 * @param {Params} params
 * @param {string} steps
 */
async function start(file, { run = "", epoch = "", weights = "" }, steps) {
  if (file.size > MAX_BYTES)
    return notify("The picture is larger than 10 MB: use a smaller one.", { isError: true });
  const form = new FormData();
  form.append("file", file);
  for (const [name, value] of Object.entries({ run, epoch, weights, steps }))
    form.append(name, value);
  try {
    const job = await startProjection(form);
    go("projection", { run, epoch, weights, job: job.id });
  } catch (error) {
    notifyError(error);
  }
}

/**
 * Show the picture next to the closest face so far, until the job is finished.
 *
 * @param {HTMLElement} container
 * @param {Params} params
 * @param {string} id of the job
 */
function showProgress(container, params, id) {
  const closest = element("img", { alt: "Closest face so far" });
  const target = element("img", { src: projectionTargetUrl(id), alt: "Your picture" });
  const live = liveImage(closest);
  const status = element("p", { role: "status" });
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const cancel = button("Cancel", () => cancelJob(id).catch(notifyError));
  const actions = element("div.actions", {}, cancel);
  /** @param {HTMLImageElement} image */
  const figure = (image) =>
    element("figure", {}, image, element("figcaption.quiet", {}, image.alt));
  const pair = element("div.pair", {}, figure(target), figure(closest));
  container.replaceChildren(element("h1", {}, TITLE), pair, bar, status, actions);
  /** @type {string | null} */
  let shown = null;
  const unfollow = followJob(id, (job) => {
    bar.value = job.progress;
    status.textContent = [describeJob(job), job.detail].filter(Boolean).join(" · ");
    if (job.face && shown !== toQuery(job.face)) {
      live.show(job.face);
      shown = toQuery(job.face);
    }
    if (!isFinished(job)) return;
    announce(`Projection ${job.state}`);
    actions.replaceChildren(...finishedActions(job, params));
  });
  return {
    leave() {
      unfollow();
      live.leave();
    },
  };
}

/**
 * @param {Job} job
 * @param {Params} params
 */
function finishedActions({ face }, { run, epoch, weights }) {
  const restart = button("Another picture", () => go("projection", { run, epoch, weights }));
  return face ? [...faceActions(face), restart] : [restart];
}

/** @param {Face} face */
function faceActions(face) {
  const saveFound = () => save({ face, how: "projection" });
  const edit = async () => {
    await saveFound();
    go("edit", toQuery(face));
  };
  const saveOnly = async () => {
    if (await saveFound()) notify("Face saved.");
  };
  return [
    button("Edit", edit, { class: "primary" }),
    button("View", () => go("face", toQuery(face))),
    button("Save", saveOnly),
  ];
}
