/** From a picture: the face of a generator that comes nearest to it. */

import { cancelJob, keep, project } from "../state/api.js";
import { button, element, range } from "../ui/dom.js";
import { toQuery } from "../state/face.js";
import { learn } from "../state/favourites.js";
import { liveImage } from "./edit.js";
import { followJob, isOver, jobText } from "../state/jobs.js";
import { announce, say, sayError } from "../ui/notice.js";
import { generatorPicker } from "../ui/generator-picker.js";
import { go, replace } from "../state/router.js";

const LARGEST = 10485760;

/** @see router.start */
export function pictureView(place) {
  let shown = null;
  return {
    title: "From a picture",
    update(words) {
      shown?.leave();
      shown = words.job ? watching(place, words) : asking(place, words);
    },
    leave: () => shown?.leave(),
    keys: {},
  };
}

function asking(place, words) {
  const picker = generatorPicker((chosen) => replace("picture", { ...words, ...chosen }));
  const steps = range("Steps", { min: 50, max: 1000, step: 50, value: 300 });
  const send = (file) => start(file, words, steps.querySelector("input").value);
  const file = element("input", { type: "file", accept: "image/*", id: "picture-file" });
  file.addEventListener("change", () => file.files[0] && send(file.files[0]));
  const drop = element(
    "label.drop", { for: "picture-file" }, element("b", {}, "Drop a picture here, or choose one"),
    element("span.quiet", {}, "A face that fills the picture works best. It stays on this machine."), file,
  );
  catchDrops(drop, send);
  picker.set(words);
  const bar = element("div.bar", { role: "toolbar", "aria-label": "Which generator looks for it" }, ...picker.parts, steps);
  place.replaceChildren(bar, element("h1", {}, "From a picture"), drop);
  return { leave: picker.leave };
}

function catchDrops(place, send) {
  const over = (event) => (event.preventDefault(), place.classList.toggle("over", event.type === "dragover"));
  place.addEventListener("dragover", over);
  place.addEventListener("dragleave", over);
  place.addEventListener("drop", (event) => {
    over(event);
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  });
}

async function start(file, words, steps) {
  if (file.size > LARGEST) return say("The picture is larger than 10 MB; make it smaller.", { bad: true });
  const form = new FormData();
  form.append("file", file);
  for (const key of ["run", "epoch", "weights"]) form.append(key, words[key]);
  form.append("steps", steps);
  try {
    const job = await project(form);
    go("picture", { run: words.run, epoch: words.epoch, weights: words.weights, job: job.id });
  } catch (error) {
    sayError(error);
  }
}

/** The picture and the best face so far, side by side, until the search is over. */
function watching(place, words) {
  const found = element("img", { alt: "The nearest face so far" });
  const live = liveImage(found);
  const state = element("p", { role: "status" });
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const actions = element("div.actions", {}, button("Cancel", () => cancelJob(words.job).catch(sayError)));
  const figure = (image, text) => element("figure", {}, image, element("figcaption.quiet", {}, text));
  const target = element("img", { src: `/api/jobs/${encodeURIComponent(words.job)}/target.png`, alt: "The picture" });
  place.replaceChildren(
    element("h1", {}, "From a picture"), element("div.pair", {}, figure(target, "The picture"), figure(found, "The nearest face so far")),
    bar, state, actions,
  );
  let last = null;
  const end = followJob(words.job, (job) => {
    bar.value = job.progress;
    state.textContent = [jobText(job), job.detail].filter(Boolean).join(" · ");
    if (job.face && last !== toQuery(job.face)) live.show(job.face);
    if (job.face) last = toQuery(job.face);
    if (isOver(job)) finish(job, actions, words);
  });
  return { leave: () => (end(), live.leave()) };
}

function finish(job, actions, words) {
  announce(`The search is ${job.state}`);
  const { run, epoch, weights } = words;
  const again = button("Another picture", () => go("picture", { run, epoch, weights }));
  actions.replaceChildren(again);
  if (!job.face) return;
  actions.prepend(
    button("Edit it", () => keepFound(job.face).then(() => go("edit", toQuery(job.face))), { class: "primary" }),
    button("View it", () => go("face", toQuery(job.face))),
    button("Keep it", () => keepFound(job.face).then(() => say("It is kept."))),
  );
}

async function keepFound(face) {
  try {
    learn(await keep({ face, how: "projection" }));
  } catch (error) {
    sayError(error);
  }
}
