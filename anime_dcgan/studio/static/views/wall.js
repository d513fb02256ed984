// @ts-check
/** The wall: an endless grid of faces of consecutive seeds. */

import { createZip, wallUrl } from "../state/api.js";
import { MAX_SEED, generatorOf, toQuery } from "../state/face.js";
import { isAbort } from "../state/errors.js";
import { notifyError } from "../state/messages.js";
import { prefetchWall, takePrefetchedSeed } from "../state/prefetch.js";
import { go, link, replace } from "../state/router.js";
import { describeEpoch, findRun } from "../state/runs.js";
import { counted } from "../state/text.js";
import { displayMenu } from "../ui/display-menu.js";
import { button, element, linkButton, menu, revokeLater } from "../ui/dom.js";
import { dropdown, labelled, numberBox, slider, twoDecimals } from "../ui/fields.js";
import { generatorPicker } from "../ui/generator-picker.js";
import { showJob } from "../ui/job-list.js";
import { labelPicker } from "../ui/label-picker.js";
import { startSlideshow } from "../ui/slideshow.js";
import { TRUNCATION } from "../ui/term.js";
import {
  COLUMNS,
  arrowNavigation,
  focusFace,
  keepTilesUpdated,
  onTileClick,
  seedTiles,
  tileKeys,
} from "../ui/tiles.js";

/** @import { Face, ParamValues, Params, View } from "../state/types.d.ts" */

const CHUNK = 64;
/** Faces per picture: the first faces appear while the next ones are rendered. */
const BATCH = 16;
const PREFETCH_DELAY = 600; // ms

/** @type {[string, string][]} */
const COUNTS = [
  ["", "Endless"],
  ["16", "16"],
  ["64", "64"],
  ["256", "256"],
  ["1024", "1024"],
];
const ZIP_COUNTS = [100, 1000, 10000];

/**
 * Position on the wall that was shown last, restored when the user returns to it.
 *
 * @type {{ key: string, count: number, face: Face | null, top: number }}
 */
const position = { key: "", count: CHUNK, face: null, top: 0 };

/**
 * @param {HTMLElement} container
 * @param {Params} first
 * @returns {View}
 */
export function wallView(container, first) {
  let params = first;
  /** @type {{ leave: () => void } | null} */
  let wall = null;
  /** @param {ParamValues} changes */
  const change = (changes) => replace("wall", { ...params, ...changes });
  const randomize = () => change({ seed: takePrefetchedSeed(wallKey(params)) });
  const controls = wallControls(change, randomize, () => params);
  const host = element("div.host");
  container.append(controls.bar, host);

  return {
    title: "Faces",
    update(next) {
      params = next;
      controls.set(params);
      wall?.leave();
      wall = endlessWall(host, params);
    },
    leave() {
      controls.leave();
      wall?.leave();
    },
    keys: { ...tileKeys(), r: randomize },
  };
}

/**
 * @param {(changes: ParamValues) => void} change
 * @param {() => void} randomize
 * @param {() => Params} currentParams
 */
function wallControls(change, randomize, currentParams) {
  const picker = generatorPicker((generator) => {
    const isSameRun = generator.run === currentParams().run;
    change({ ...generator, label: isSameRun ? currentParams().label : null });
  });
  const label = labelPicker("By seed", (label) => change({ label }));
  const seed = numberBox("Seed", { min: 0, max: MAX_SEED }, (value) => change({ seed: value }));
  const truncation = slider(TRUNCATION.label, {
    min: 0,
    max: 1,
    step: 0.05,
    value: 1,
    format: twoDecimals,
    onchange: (value) => change({ truncation: value === 1 ? null : value }),
  });
  const count = dropdown(COUNTS, "", (value) => change({ count: value }));
  const bar = element(
    "div.bar",
    { role: "toolbar", "aria-label": "Faces to show" },
    ...picker.controls,
    label.root,
    seed,
    button("Random", randomize, { title: "Random seed (R)" }),
    button("Slideshow", () => startSlideshow(currentParams())),
    displayMenu(truncation, labelled("Faces", count)),
    menu("Download", ...downloads(currentParams)),
  );
  /** @param {Params} params */
  const set = (params) => {
    picker.set(params);
    label.set(params, params.label ?? null);
    seed.input.value = params.seed ?? "";
    truncation.set(params.truncation ?? 1);
    count.value = params.count ?? "";
  };
  const leave = () => {
    picker.leave();
    label.leave();
  };
  return { bar, set, leave };
}

/** @param {() => Params} currentParams */
function downloads(currentParams) {
  /** @param {number} count */
  const grid = (count) => {
    const created = linkButton(`Grid of ${count}`, "#", { download: "" });
    created.addEventListener("click", () => {
      const { seed = "0", ...params } = currentParams();
      created.href = wallUrl(params, seed, count, count === 64 ? 8 : 16);
      created.download = gridName(params, Number(seed), count);
    });
    return created;
  };
  /** @type {[number, string][]} */
  const counts = ZIP_COUNTS.map((count) => [count, counted(count, "face")]);
  const count = dropdown(counts, ZIP_COUNTS[0], () => {});
  const zip = button("Create ZIP", () => startZip(currentParams(), Number(count.value)));
  return [grid(64), grid(256), labelled("ZIP of", count), zip];
}

/**
 * @param {Params} params
 * @param {number} seed
 * @param {number} count
 */
function gridName({ run = "", epoch }, seed, count) {
  return `${run.replaceAll("/", "-")}-epoch${epoch}-seeds${seed}-${seed + count - 1}.png`;
}

/**
 * @param {Params} params
 * @param {number} count
 */
function startZip(params, count) {
  const truncation = Number(params.truncation ?? 1);
  const label = params.label || null;
  const request = { ...generatorOf(params), truncation, label, seed: Number(params.seed), count };
  showJob(createZip(request), `ZIP of ${counted(count, "face")}`);
}

/**
 * Return everything that a wall depends on except its seed.
 *
 * @param {Params} params
 */
const wallKey = (params) => wallUrl(params, "", BATCH, COLUMNS);

/**
 * @param {Params} params
 * @param {AbortSignal} signal
 */
function prefetchNextWall(params, signal) {
  const batches = Array.from({ length: CHUNK / BATCH }, (_, index) => index * BATCH);
  /** @param {number} seed */
  const urls = (seed) => batches.map((start) => wallUrl(params, seed + start, BATCH, COLUMNS));
  return prefetchWall(wallKey(params), urls, signal).catch(() => {});
}

/**
 * Fill an element with a wall that grows when the user scrolls near its end.
 *
 * @param {HTMLElement} host
 * @param {Params} params
 */
function endlessWall(host, params) {
  const controller = new AbortController();
  /** @type {Promise<string>[]} */
  const pictures = [];
  const limit = Number(params.count) || MAX_SEED + 1;
  const epoch = describeEpoch(findRun(params.run), params.epoch);
  const label = `Faces of ${params.run}, ${epoch}`;
  const grid = element("div.wall", { role: "group", "aria-label": label });
  const end = element("p.end");
  const key = link("", params);
  host.replaceChildren(grid, end);
  onTileClick(grid, openFace);
  const updateTabStop = arrowNavigation(grid, addChunk);
  const stopUpdates = keepTilesUpdated(grid);

  function addChunk() {
    const count = Math.min(CHUNK, limit - grid.childElementCount);
    for (let done = 0; done < count; done += BATCH) addBatch(Math.min(BATCH, count - done));
    updateTabStop();
    if (grid.childElementCount >= limit) end.textContent = counted(limit, "face");
  }
  /** @param {number} count */
  function addBatch(count) {
    const seed = Number(params.seed) + grid.childElementCount;
    const { tiles, painted } = seedTiles(params, seed, count, controller.signal);
    grid.append(...tiles);
    pictures.push(painted);
    painted.catch((error) => {
      notifyError(error);
      if (!isAbort(error)) observer.disconnect();
    });
  }
  const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && grow(), {
    rootMargin: "1200px",
  });
  function grow() {
    addChunk();
    observer.unobserve(end); // observing it again reports if it is still near
    if (grid.childElementCount < limit) requestAnimationFrame(() => observer.observe(end));
  }

  if (position.key === key) restore(grid, addChunk);
  observer.observe(end);
  const idle = setTimeout(async () => {
    const drawn = await Promise.allSettled(pictures);
    if (drawn.every(({ status }) => status === "fulfilled"))
      prefetchNextWall(params, controller.signal);
  }, PREFETCH_DELAY);
  return {
    leave() {
      clearTimeout(idle);
      Object.assign(position, { key, count: grid.childElementCount });
      controller.abort();
      observer.disconnect();
      stopUpdates();
      for (const picture of pictures) picture.then(revokeLater, () => {});
    },
  };
}

/**
 * @param {HTMLElement} grid
 * @param {() => void} addChunk
 */
function restore(grid, addChunk) {
  for (let count = 0; count < position.count; count += CHUNK) addChunk();
  requestAnimationFrame(() => {
    scrollTo(0, position.top);
    if (position.face) focusFace(grid, position.face);
  });
}

/** @param {Face} face */
function openFace(face) {
  Object.assign(position, { face, top: scrollY });
  go("face", toQuery(face));
}
