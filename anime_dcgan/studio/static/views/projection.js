// @ts-check
/** Projection: the face of a generator that is closest to a picture. */

import { cancelJob, getStyles, projectionTargetUrl, startProjection } from "../state/api.js";
import { generatorOf, toQuery } from "../state/face.js";
import { isAbort } from "../state/errors.js";
import { describeJob, followJob, isFinished } from "../state/jobs.js";
import { announce, notify, notifyError } from "../state/messages.js";
import { go, replace } from "../state/router.js";
import { save } from "../state/saved.js";
import { button, element } from "../ui/dom.js";
import { dropdown, labelled, slider } from "../ui/fields.js";
import { generatorPicker } from "../ui/generator-picker.js";
import { labelPicker } from "../ui/label-picker.js";
import { liveImage } from "../ui/live-image.js";

/** @import { Face, Found, Job, Params, Variables, View } from "../state/types.d.ts" */

/** @type {Record<Variables, string>} */
const NAMES = { latent: "Latent", style: "One style", layers: "One style per layer" };
/** Values of the list of what is optimised, and their texts. @type {[string, string][]} */
const CHOICES = [
  ["latent style layers", "All three, side by side"],
  ["layers", "One style per layer (nearest)"],
  ["style", "One style"],
  ["latent", "Latent"],
];
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
  const picker = generatorPicker((generator) => {
    const label = generator.run === params.run ? params.label : null;
    replace("projection", { ...params, ...generator, label });
  });
  const label = labelPicker("Nearest", (label) => replace("projection", { ...params, label }));
  const steps = slider("Steps", { min: 50, max: 1000, step: 50, value: 300 });
  const variables = variablesPicker(params);
  /** @param {File | null | undefined} file */
  const upload = (file) => file && start(file, params, steps.input.value, variables.chosen());
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
  label.set(params, params.label ?? null);
  const attributes = { role: "toolbar", "aria-label": "Generator and steps" };
  const controls = [...picker.controls, label.root, variables.root, steps];
  const bar = element("div.bar", attributes, ...controls);
  container.replaceChildren(bar, element("h1", {}, TITLE), drop);
  return {
    leave() {
      picker.leave();
      label.leave();
      variables.leave();
    },
  };
}

/**
 * Return the list of what is optimised. It stays hidden for generators without a mapping network,
 * which have latents only.
 *
 * @param {Params} params
 */
function variablesPicker(params) {
  const controller = new AbortController();
  const list = dropdown(CHOICES, CHOICES[0][0], () => {});
  const root = labelled("Find by", list);
  root.hidden = true;
  getStyles(generatorOf(params), controller.signal).then(
    ({ mapping }) => (root.hidden = !mapping),
    (error) => !isAbort(error) && notifyError(error),
  );
  const chosen = () => (root.hidden ? [] : list.value.split(" "));
  return { root, chosen, leave: () => controller.abort() };
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
 * @param {string[]} variables
 */
async function start(file, params, steps, variables) {
  const { run = "", epoch = "", weights = "", digest, label } = params;
  if (file.size > MAX_BYTES)
    return notify("The picture is larger than 10 MB: use a smaller one.", { isError: true });
  const form = new FormData();
  form.append("file", file);
  for (const [name, value] of Object.entries({ run, epoch, weights, steps }))
    form.append(name, value);
  if (digest) form.append("digest", digest);
  if (label) form.append("label", label);
  for (const each of variables) form.append("variables", each);
  try {
    const job = await startProjection(form);
    go("projection", { run, epoch, weights, digest, label, job: job.id });
  } catch (error) {
    notifyError(error);
  }
}

/**
 * Show the picture next to the closest faces so far, until the job is finished.
 *
 * @param {HTMLElement} container
 * @param {Params} params
 * @param {string} id of the job
 */
function showProgress(container, params, id) {
  const target = element("img", { src: projectionTargetUrl(id), alt: "Your picture" });
  const status = element("p", { role: "status" });
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const cancel = button("Cancel", () => cancelJob(id).catch(notifyError));
  const actions = element("div.actions", {}, cancel);
  const caption = element("figcaption.quiet", {}, target.alt);
  const pair = element("div.pair", {}, element("figure", {}, target, caption));
  container.replaceChildren(element("h1", {}, TITLE), pair, bar, status, actions);
  /** @type {ReturnType<typeof foundFigure>[]} */
  let figures = [];
  const unfollow = followJob(id, (job) => {
    bar.value = job.progress;
    const detail = job.found.length > 1 ? "" : job.detail; // otherwise each has its error
    status.textContent = [describeJob(job), detail].filter(Boolean).join(" · ");
    if (!figures.length) {
      figures = job.found.map(({ variables }) => foundFigure(variables, job.found.length === 1));
      pair.append(...figures.map(({ root }) => root));
      pair.classList.toggle("several", figures.length > 1);
    }
    job.found.forEach((found, index) => figures[index].show(found));
    if (!isFinished(job)) return;
    announce(`Projection ${job.state}`);
    if (figures.length > 1) figures.forEach((figure) => figure.finish());
    actions.replaceChildren(...finishedActions(job, params));
  });
  return {
    leave() {
      unfollow();
      figures.forEach((figure) => figure.leave());
    },
  };
}

/**
 * Return the figure of the closest face so far.
 *
 * @param {Variables} variables
 * @param {boolean} isOnly
 */
function foundFigure(variables, isOnly) {
  const name = isOnly ? "Closest face so far" : NAMES[variables];
  const image = element("img", { alt: name });
  const live = liveImage(image);
  const error = element("output");
  const caption = element("figcaption.quiet", {}, element("span", {}, name), error);
  const root = element("figure", { "aria-label": name }, image, caption);
  /** @type {Face | null} */
  let face = null;
  /** @param {Found} found */
  const show = (found) => {
    if (!found.face || (face && toQuery(found.face) === toQuery(face))) return;
    face = found.face;
    error.textContent = `error ${found.distance?.toFixed(3)}`;
    live.show(face);
  };
  const finish = () => face && root.append(element("div.actions", {}, ...faceActions(face)));
  return { root, show, finish, leave: live.leave };
}

/**
 * @param {Job} job
 * @param {Params} params
 */
function finishedActions({ face, found }, { job: _, ...form }) {
  const restart = button("Another picture", () => go("projection", form));
  return face && found.length === 1 ? [...faceActions(face), restart] : [restart];
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
