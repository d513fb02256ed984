// @ts-check
/** A slider over the saved epochs of a run, with previews of some of them. */

import { wallUrl } from "../state/api.js";
import { describeEpoch, epochsOf } from "../state/runs.js";
import { button, element } from "./dom.js";

/** @import { GeneratorParams, Run } from "../state/types.d.ts" */

/** @typedef {GeneratorParams & { seed: number }} SliderParams */

const PREVIEWS = 8;
const FACES = 4;

/**
 * @param {(epoch: string) => void} onchoose called while the slider moves
 */
export function epochSlider(onchoose) {
  const previews = epochPreviews(onchoose);
  const input = element("input", { type: "range", min: 0, step: 1, "aria-label": "Epoch" });
  const shown = element("output");
  const follow = element("input", { type: "checkbox" });
  follow.checked = true;
  const best = button("Best", () => onchoose("best"), { title: "Best epoch" });
  const following = element("label.follow", { title: "Follow new epochs" }, follow, "Follow");
  const row = element("div.row", {}, input, shown, best, following);
  /** @type {string[]} */
  let epochs = [];
  /** @type {Run | undefined} */
  let run;
  input.addEventListener("input", () => onchoose(epochs[Number(input.value)]));

  return {
    root: element("div.epoch-slider", {}, previews.root, row),
    /**
     * @param {Run | undefined} next
     * @param {SliderParams} params
     */
    set(next, params) {
      if (!next) return;
      run = next;
      epochs = epochsOf(run);
      input.max = String(Math.max(0, epochs.length - 1));
      input.value = String(indexOfEpoch(run, epochs, params.epoch));
      input.disabled = epochs.length < 2;
      shown.textContent = describeEpoch(run, params.epoch);
      input.setAttribute("aria-valuetext", shown.textContent);
      best.hidden = !run.aliases.includes("best");
      best.setAttribute("aria-pressed", String(params.epoch === "best"));
      following.hidden = !run.running;
      previews.set(run, epochs, params);
    },
    /** Move by a number of epochs. @param {number} offset */
    step(offset) {
      const index = Number(input.value) + offset;
      onchoose(epochs[Math.max(0, Math.min(epochs.length - 1, index))]);
    },
    /** Return the saved epoch nearest to another one. @param {string} epoch */
    nearest: (epoch) => (run ? epochs[indexOfEpoch(run, epochs, epoch)] : epoch),
    /**
     * Return the new epoch to be shown if `epoch` was the newest and a newer one was saved.
     *
     * @param {Run} next
     * @param {string | undefined} epoch
     */
    nextEpoch(next, epoch) {
      const before = run?.name === next.name ? run.epochs.at(-1) : null;
      const after = next.epochs.at(-1);
      return before && before !== after && epoch === before && follow.checked ? after : null;
    },
  };
}

/**
 * Return the index of an epoch, or of the one nearest to it.
 *
 * @param {Run} run
 * @param {string[]} epochs
 * @param {string | undefined} epoch
 */
function indexOfEpoch(run, epochs, epoch) {
  const index = epochs.indexOf(epoch ?? "");
  if (index >= 0) return index;
  const number = epoch === "best" ? Number(run.best?.epoch ?? NaN) : Number(epoch);
  const distances = epochs.map((other) =>
    Math.abs((other === "last" ? Infinity : Number(other)) - number),
  );
  return Math.max(0, distances.indexOf(Math.min(...distances)));
}

/**
 * Return a row of buttons with previews of some epochs.
 *
 * @param {(epoch: string) => void} onchoose
 */
function epochPreviews(onchoose) {
  const root = element("div.epoch-previews");
  /** @type {{ epoch: string, button: HTMLElement }[]} */
  let previews = [];
  let state = "";
  return {
    root,
    /**
     * @param {Run} run
     * @param {string[]} epochs
     * @param {SliderParams} params
     */
    set(run, epochs, params) {
      const shown = spread(epochs, PREVIEWS);
      const next = JSON.stringify([
        run.name,
        shown,
        params.weights,
        params.seed,
        params.truncation,
      ]);
      if (state !== next) {
        previews = shown.map((epoch) => ({
          epoch,
          button: previewButton(epoch, params, onchoose),
        }));
        root.replaceChildren(...previews.map(({ button }) => button));
      }
      state = next;
      for (const { epoch, button } of previews)
        button.setAttribute("aria-pressed", String(epoch === params.epoch));
    },
  };
}

/**
 * @param {string} epoch
 * @param {SliderParams} params
 * @param {(epoch: string) => void} onchoose
 */
function previewButton(epoch, params, onchoose) {
  const src = wallUrl({ ...params, epoch }, params.seed, FACES, 2);
  return element(
    "button",
    {
      type: "button",
      "aria-label": describeEpoch(undefined, epoch),
      onclick: () => onchoose(epoch),
    },
    element("img", { src, alt: "", loading: "lazy" }),
    element("span", {}, epoch),
  );
}

/**
 * Return at most `count` values of a list, evenly spaced, with the first and the last.
 *
 * @param {string[]} list
 * @param {number} count
 */
function spread(list, count) {
  if (list.length <= count) return list;
  const step = (list.length - 1) / (count - 1);
  return Array.from({ length: count }, (_, index) => list[Math.round(index * step)]);
}
