/** A slider over the saved epochs of a run, with a few of them to be seen above it. */

import { wallPicture } from "../state/api.js";
import { button, element } from "./dom.js";
import { epochText, stopsOf } from "../state/runs.js";

const SEEN = 8;
const FACES = 4;

/**
 * @param {(epoch: string) => void} onchoose called while it moves
 */
export function epochSlider(onchoose) {
  const strip = element("div.strip-row");
  const input = element("input", { type: "range", min: 0, step: 1, "aria-label": "Epoch" });
  const shown = element("output");
  const follow = element("input", { type: "checkbox" });
  follow.checked = true;
  const best = button("Best", () => onchoose("best"), { title: "The best epoch" });
  const following = element("label.follow", { title: "Go on to each new epoch" }, follow, "Follow");
  const root = element("div.epoch-slider", {}, strip, element("div.row", {}, input, shown, best, following));
  let stops = [];
  let run = null;
  input.addEventListener("input", () => onchoose(stops[input.value]));

  function set(known, words) {
    if (!known) return;
    run = known;
    stops = stopsOf(known);
    const at = positionOf(words.epoch);
    input.max = Math.max(0, stops.length - 1);
    input.value = at;
    input.disabled = stops.length < 2;
    shown.textContent = epochText(known, words.epoch);
    input.setAttribute("aria-valuetext", shown.textContent);
    best.hidden = !known.named?.includes("best");
    best.setAttribute("aria-pressed", words.epoch === "best");
    following.hidden = !known.running;
    showStrip(words);
  }
  function positionOf(epoch) {
    const at = stops.indexOf(epoch);
    if (at >= 0) return at;
    const number = epoch === "best" ? Number(run.best?.epoch ?? NaN) : Number(epoch);
    const distances = stops.map((stop) => Math.abs((stop === "last" ? Infinity : Number(stop)) - number));
    return Math.max(0, distances.indexOf(Math.min(...distances)));
  }
  function showStrip(words) {
    const seen = spread(stops, SEEN);
    const state = JSON.stringify([run.name, seen, words.weights, words.seed, words.truncation]);
    if (strip.dataset.state !== state) strip.replaceChildren(...seen.map((stop) => stopButton(stop, words, onchoose)));
    strip.dataset.state = state;
    for (const one of strip.children) one.setAttribute("aria-pressed", one.dataset.epoch === words.epoch);
  }
  return {
    root,
    set,
    step: (by) => onchoose(stops[Math.max(0, Math.min(stops.length - 1, Number(input.value) + by))]),
    /** The saved epoch next to any. */
    nearest: (epoch) => stops[positionOf(epoch)],
    /** The epoch to go on to, if `epoch` was the newest and a newer one has come. */
    grown(known, epoch) {
      const [before, after] = [run?.name === known.name ? run.epochs.at(-1) : null, known.epochs.at(-1)];
      return before && before !== after && epoch === before && follow.checked ? after : null;
    },
  };
}

function stopButton(stop, words, onchoose) {
  const picture = wallPicture({ ...words, epoch: stop }, words.seed, FACES, 2);
  const image = element("img", { src: picture, alt: "", loading: "lazy" });
  const text = element("span", {}, stop);
  return element(
    "button", { type: "button", data: { epoch: stop }, "aria-label": epochText(null, stop), onclick: () => onchoose(stop) }, image, text,
  );
}

/** At most `count` of a list, evenly, the first and the last among them. */
function spread(list, count) {
  if (list.length <= count) return list;
  return Array.from({ length: count }, (_, index) => list[Math.round((index * (list.length - 1)) / (count - 1))]);
}
