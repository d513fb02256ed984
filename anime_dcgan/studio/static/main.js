/** The studio starts: settings, runs, views, keys. */

import { getState, onConnection } from "./state/api.js";
import { closeMenus } from "./ui/dom.js";
import { editView } from "./views/edit.js";
import { epochsView } from "./views/epochs.js";
import { faceView } from "./views/face.js";
import { familyView } from "./views/family.js";
import { loadFavourites } from "./state/favourites.js";
import { able, filmView } from "./views/film.js";
import { keptView } from "./views/saved.js";
import { listen, showKeys } from "./ui/shortcuts.js";
import { mixView } from "./views/mix.js";
import { sayError } from "./ui/notice.js";
import { pictureView } from "./views/projection.js";
import { again, link, start } from "./state/router.js";
import { onRuns, runNamed, usable, usualEpoch, watchRuns } from "./state/runs.js";
import { nothingYet, runsView } from "./views/runs.js";
import { THEMES, apply, change, setting } from "./state/settings.js";
import { showTray } from "./state/selection.js";
import { wallView } from "./views/wall.js";

const VIEWS = {
  wall: wallView, face: faceView, epochs: epochsView, edit: editView, mix: mixView, film: filmView,
  picture: pictureView, kept: keptView, family: familyView, runs: runsView, empty: emptyView,
};
const DRAWING = new Set(["wall", "epochs", "picture"]);
const PARENTS = { face: "wall", edit: "wall", film: "mix", family: "kept" };
let generator = {};

/** A view of faces always says of which: those looked at last, or the newest. */
function complete(name, words) {
  if (DRAWING.has(name) && !words.run && !usable().length) return words;
  if (!DRAWING.has(name)) return words;
  const run = words.run ?? (runNamed(generator.run) ?? usable()[0]).name;
  const epoch = words.epoch ?? (run === generator.run ? generator.epoch : usualEpoch(runNamed(run) ?? {})) ?? "last";
  const weights = words.weights ?? generator.weights ?? "ema";
  const seed = name === "picture" ? {} : { seed: words.seed ?? generator.seed ?? 0 };
  return { ...words, run, epoch, weights, ...seed };
}

function onChange({ name, words }) {
  if (words.run) generator = { ...generator, ...pick(words) };
  const { run, epoch, weights, seed } = generator;
  const at = PARENTS[name] ?? name;
  for (const place of places()) {
    const view = place.dataset.view;
    const target = DRAWING.has(view) ? { run, epoch, weights, seed: view === "picture" ? null : seed } : {};
    place.href = link(view, target);
    if (view === at) place.setAttribute("aria-current", "page");
    else place.removeAttribute("aria-current");
  }
}

function pick({ run, epoch, weights, seed }) {
  return seed == null ? { run, epoch, weights } : { run, epoch, weights, seed };
}

const places = () => [...document.querySelectorAll("#places a")];

/** In an empty folder the faces appear by themselves once there are some. */
function emptyView(place) {
  place.append(nothingYet());
  const leave = onRuns(() => usable().length && (leave(), again()));
  return { title: "Nothing yet", leave, keys: {} };
}

function withEmpty(view) {
  return (place, words) => (words.run ? view(place, words) : emptyView(place));
}

function connectTheme() {
  const button = document.getElementById("theme");
  const show = () => (button.title = `Look: ${THEMES.find(([key]) => key === setting("theme"))[1].toLowerCase()}`);
  button.addEventListener("click", () => {
    const at = THEMES.findIndex(([key]) => key === setting("theme"));
    change({ theme: THEMES[(at + 1) % THEMES.length][0] });
    show();
  });
  show();
}

function connectServer() {
  const line = document.getElementById("connection");
  onConnection((connected) => (line.hidden = connected));
}

async function begin() {
  apply();
  connectTheme();
  connectServer();
  showTray();
  document.getElementById("help").addEventListener("click", showKeys);
  addEventListener("click", closeMenus);
  try {
    const [state] = await Promise.all([getState(), watchRuns()]);
    able.mp4 = state.mp4;
  } catch (error) {
    sayError(error);
    if (error.lost) return void setTimeout(() => location.reload(), 3000);
  }
  const views = Object.fromEntries(Object.entries(VIEWS).map(([name, view]) => [name, DRAWING.has(name) ? withEmpty(view) : view]));
  start(views, { onChange, complete });
  listen(places());
  loadFavourites().catch(sayError);
}

begin();
