// @ts-check
/** Entry point of the page: settings, runs, views and shortcuts. */

import { getServerState } from "./state/api.js";
import { OfflineError } from "./state/errors.js";
import { loadFavourites } from "./state/favourites.js";
import { onConnection } from "./state/http.js";
import { notify, notifyError } from "./state/messages.js";
import { randomWallSeed } from "./state/prefetch.js";
import { go, link, reload, startRouter } from "./state/router.js";
import {
  areRunsLoaded,
  defaultEpoch,
  findRun,
  onRuns,
  usableRuns,
  watchRuns,
} from "./state/runs.js";
import { onSelection, selectedCount, useSelectionOf } from "./state/selection.js";
import { THEMES, applySettings, changeSettings, isFirstVisit, setting } from "./state/settings.js";
import { byId, closeMenus } from "./ui/dom.js";
import { offerUpscaler } from "./ui/full-screen.js";
import { showMessages } from "./ui/notice.js";
import { watchPictures } from "./ui/rendering.js";
import { loadingRuns, noRuns, TRAIN } from "./ui/run-summary.js";
import { showSelectionBar } from "./ui/selection-bar.js";
import { listenForShortcuts, showShortcuts } from "./ui/shortcuts.js";
import { editView } from "./views/edit.js";
import { epochsView } from "./views/epochs.js";
import { faceView } from "./views/face.js";
import { familyView } from "./views/family.js";
import { filmView, offerMp4 } from "./views/film.js";
import { makeView } from "./views/make.js";
import { mapView } from "./views/map.js";
import { mixView } from "./views/mix.js";
import { projectionView } from "./views/projection.js";
import { runsView } from "./views/runs.js";
import { savedView } from "./views/saved.js";
import { wallView } from "./views/wall.js";

/** @import { Params, View, ViewFactory } from "./state/types.d.ts" */

/** @type {Record<string, ViewFactory>} */
const VIEWS = {
  make: withRun(makeView),
  wall: withRun(wallView),
  face: faceView,
  epochs: withRun(epochsView),
  edit: editView,
  map: mapView,
  mix: mixView,
  film: filmView,
  projection: withRun(projectionView),
  saved: savedView,
  family: familyView,
  runs: runsView,
};
/** Views whose address names a generator. */
const GENERATOR_VIEWS = new Set(["make", "wall", "epochs", "projection"]);
/** Navigation entries of the views that have none of their own. */
/** @type {Record<string, string>} */
const PARENTS = { face: "wall", edit: "wall", map: "wall", film: "mix", family: "saved" };
const RELOAD_SECONDS = 3;
const OFFER_SECONDS = 60;

/** Generator and seed of the view that was shown last. @type {Params} */
let current = {};

/** @type {HTMLAnchorElement[]} */
const navigation = [...document.querySelectorAll("#navigation a")].map(
  (anchor) => /** @type {HTMLAnchorElement} */ (anchor),
);

/**
 * Complete the parameters of a view with the generator that was shown last, or the newest.
 *
 * @param {string} name
 * @param {Params} params
 * @returns {Params}
 */
function complete(name, params) {
  if (!GENERATOR_VIEWS.has(name)) return params;
  const run = params.run ?? (findRun(current.run) ?? usableRuns().at(0))?.name;
  if (!run) return params;
  const found = findRun(run);
  const epoch =
    params.epoch ?? (run === current.run ? current.epoch : found && defaultEpoch(found)) ?? "last";
  const weights = params.weights ?? current.weights ?? "ema";
  const seed =
    name === "projection" ? {} : { seed: params.seed ?? current.seed ?? String(randomWallSeed()) };
  return { ...params, run, epoch, weights, ...seed };
}

/** @param {{ name: string, params: Params }} shown */
function updateNavigation({ name, params }) {
  // The generator of a kept face whose run is gone is of no use to other views.
  if (params.run && (findRun(params.run) || !areRunsLoaded())) {
    const { run, epoch, weights, seed = current.seed } = params;
    current = { run, epoch, weights, seed };
  }
  if (navigation.some(({ dataset }) => dataset.view === name)) useSelectionOf(name);
  linkNavigation();
  for (const anchor of navigation) {
    const view = anchor.dataset.view ?? "";
    if (view === (PARENTS[name] ?? name)) {
      anchor.setAttribute("aria-current", "page");
      anchor.scrollIntoView({ block: "nearest", inline: "nearest" }); // in a narrow window
    } else anchor.removeAttribute("aria-current");
  }
  const isOther = byId("other-views").querySelector("[aria-current]") !== null;
  byId("more-views").classList.toggle("current", isOther);
}

/** Lead from the navigation to the generator that was shown last, as long as its run is listed. */
function linkNavigation() {
  const isListed = findRun(current.run) || !areRunsLoaded();
  const generator = isListed ? current : {};
  for (const anchor of navigation) {
    const view = anchor.dataset.view ?? "";
    const seed = view === "projection" ? undefined : current.seed;
    anchor.href = link(view, GENERATOR_VIEWS.has(view) ? { ...generator, seed } : {});
  }
}

/** Show in the navigation how many faces are selected in each view. */
function showCounts() {
  for (const anchor of navigation) {
    const count = selectedCount(anchor.dataset.view ?? "");
    if (count) anchor.dataset.selected = String(count);
    else delete anchor.dataset.selected;
  }
}

/**
 * Return a view that shows `view` once there is a run.
 *
 * @param {ViewFactory} view
 * @returns {ViewFactory}
 */
function withRun(view) {
  return (container, params) => (params.run ? view(container, params) : emptyView(container));
}

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
function emptyView(container) {
  const isLoaded = areRunsLoaded();
  container.append(isLoaded ? noRuns() : loadingRuns());
  const leave = onRuns(() => {
    if (usableRuns().length || !isLoaded) reload();
  });
  return { title: isLoaded ? "No faces yet" : "Faces", leave };
}

function connectThemeButton() {
  const button = byId("theme");
  const indexOf = () => THEMES.findIndex(([theme]) => theme === setting("theme"));
  const show = () => (button.title = `Theme: ${THEMES[indexOf()][1].toLowerCase()}`);
  button.addEventListener("click", () => {
    changeSettings({ theme: THEMES[(indexOf() + 1) % THEMES.length][0] });
    show();
  });
  show();
}

/** Open and close the views for which a phone has no room; they are a part of the row elsewhere. */
function connectMoreViews() {
  const more = byId("more-views");
  const show = (/** @type {boolean} */ isOpen) =>
    more.setAttribute("aria-expanded", String(isOpen));
  more.addEventListener("click", () => show(more.getAttribute("aria-expanded") !== "true"));
  addEventListener("click", ({ target }) => target !== more && show(false));
  more.parentElement?.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || more.getAttribute("aria-expanded") !== "true") return;
    event.stopPropagation();
    show(false);
    more.focus();
  });
}

/** Offer the user's first run once it has faces; what the page shows meanwhile stays. */
function offerFirstRun() {
  const leave = onRuns(() => {
    const run = usableRuns().at(0);
    if (!run || run.packaged) return;
    leave();
    const params = { run: run.name, epoch: defaultEpoch(run), weights: "ema", seed: 0 };
    const action = { text: "Show them", run: () => go("epochs", params) };
    notify(`${run.name} has its first faces.`, { action, seconds: OFFER_SECONDS });
  });
}

async function start() {
  applySettings();
  watchPictures();
  showMessages();
  showSelectionBar();
  onRuns(linkNavigation);
  onSelection(showCounts);
  showCounts();
  connectThemeButton();
  connectMoreViews();
  onConnection((connected) => (byId("connection").hidden = connected));
  byId("help").addEventListener("click", showShortcuts);
  addEventListener("click", closeMenus);
  if (!location.hash && isFirstVisit()) history.replaceState(null, "", link("make"));
  startRouter(VIEWS, { onChange: updateNavigation, complete });
  listenForShortcuts(navigation);
  try {
    const [state] = await Promise.all([getServerState(), watchRuns()]);
    if (state.mp4) offerMp4();
    if (state.upscaler) offerUpscaler(state.upscaler);
    if (usableRuns().some((run) => run.packaged)) {
      notify(`These faces come with the program. To train a model of your own: ${TRAIN}`);
      offerFirstRun();
    }
    byId("unsaved").hidden = state.unsaved === null;
    byId("unsaved").textContent = state.unsaved;
  } catch (error) {
    notifyError(error);
    if (error instanceof OfflineError)
      return void setTimeout(() => location.reload(), RELOAD_SECONDS * 1000);
  }
  loadFavourites().catch(notifyError);
}

start();
