"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const reasons = data.reasons;
const find = (selector, within = document) => within.querySelector(selector);
const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];

function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

// Choices belong to the pixels: one picture may be listed under several reasons.
const all = reasons.flatMap((reason) => reason.suspects);
const flagged = new Set(all.filter((suspect) => suspect.flagged).map((suspect) => suspect.key));
const earlier = new Map(
  all.filter((suspect) => suspect.choice).map((suspect) => [suspect.key, suspect.choice]),
);
const keys = new Set(all.map((suspect) => suspect.key));
let choices = new Map(earlier);
let saved = new Map(earlier);
const past = [];
let stores = true;

const fate = (key) => choices.get(key) ?? (flagged.has(key) ? "drop" : "keep");
const unsaved = () => [...keys].filter((key) => choices.get(key) !== saved.get(key)).length;

// Restore the choices that the browser stored. On a page that was written again, the choices of
// the page take precedence, except over stored choices that were never saved to a file.
function recall() {
  let written, was, file;
  try {
    const kept = JSON.parse(localStorage.getItem(data.store));
    [written, was, file] = [kept.written, new Map(kept.choices), new Map(kept.saved)];
  } catch {
    return; // nothing is stored yet, or it cannot be read
  }
  for (const key of keys) {
    const own = written === data.written || was.get(key) !== file.get(key) || !earlier.has(key);
    if (own) was.has(key) ? choices.set(key, was.get(key)) : choices.delete(key);
  }
  if (written === data.written) saved = file;
}

function remember() {
  try {
    localStorage.setItem(
      data.store,
      JSON.stringify({ written: data.written, choices: [...choices], saved: [...saved] }),
    );
  } catch {
    stores = false;
  }
}

function set(changes) {
  for (const [key, choice] of changes) choice ? choices.set(key, choice) : choices.delete(key);
  remember();
  for (const [key] of changes) (tilesOf.get(key) ?? []).forEach(paint);
  updateStatus();
}

function decide(some, choice) {
  past.push({
    reason: shown,
    index: places[shown],
    before: some.map(({ key }) => [key, choices.get(key)]),
  });
  set(some.map(({ key }) => [key, choice]));
}

function undo() {
  const step = past.pop();
  if (!step) return;
  set(step.before);
  show(step.reason);
  go(step.index);
}

function save() {
  const link = make("a");
  const content = JSON.stringify({ choices: Object.fromEntries(choices) }, null, 1);
  link.href = URL.createObjectURL(new Blob([content + "\n"], { type: "application/json" }));
  link.download = "review.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  saved = new Map(choices);
  remember();
  updateStatus();
}

// One reason is shown at a time; its tiles are filled when they come near the viewport.
const tabs = findAll("[role=tab]");
const panels = findAll("[role=tabpanel]");
const built = [];
const places = reasons.map(() => 0);
const tilesOf = new Map();
let shown = 0;

const near = new IntersectionObserver(
  (entries) => entries.forEach((entry) => entry.isIntersecting && fill(entry.target)),
  { rootMargin: "900px 0px" },
);

function show(reason) {
  if (!panels[reason]) return;
  built[reason] ??= build(reason);
  tabs.forEach((tab, index) => {
    tab.setAttribute("aria-selected", index === reason);
    tab.tabIndex = index === reason ? 0 : -1;
    panels[index].hidden = index !== reason;
  });
  shown = reason;
  const strip = tabs[reason].parentElement;
  strip.scrollLeft =
    tabs[reason].offsetLeft - strip.offsetLeft - (strip.clientWidth - tabs[reason].offsetWidth) / 2;
}

function build(reason) {
  return reasons[reason].suspects.map((suspect, index) => {
    const tile = make("div", "tile");
    tile.suspect = suspect;
    tile.index = index;
    find(`.part[data-flagged=${suspect.flagged}] .tiles`, panels[reason]).append(tile);
    near.observe(tile);
    return tile;
  });
}

function picture(base64, alt) {
  const image = make("img");
  image.src = "data:image/jpeg;base64," + base64;
  image.alt = alt;
  image.draggable = false;
  return image;
}

function fill(tile) {
  if (tile.firstChild) return;
  near.unobserve(tile);
  const { suspect } = tile;
  const face = make("button", "face");
  const pictures = make("span", "pictures");
  pictures.append(picture(suspect.face, ""));
  if (suspect.twin) pictures.append(picture(suspect.twin, ""), make("span", "stays", "stays"));
  face.type = "button";
  face.tabIndex = tile.index === places[shown] ? 0 : -1;
  face.title = suspect.name;
  face.append(pictures, make("span", "fate"), make("bdi", "name", suspect.name.split("/").pop()));
  face.append(make("span", "score", against(suspect)));
  const zoom = make("button", "zoom", "\u2922");
  zoom.type = "button";
  zoom.tabIndex = -1;
  zoom.setAttribute("aria-label", `Enlarge ${suspect.name}`);
  tile.append(face, zoom);
  tilesOf.set(suspect.key, [...(tilesOf.get(suspect.key) ?? []), tile]);
  paint(tile);
}

const against = ({ score, sign, threshold }) => `${score} ${sign} ${threshold}`;

function paint(tile) {
  const { suspect } = tile;
  const dropped = fate(suspect.key) === "drop";
  const decided = choices.has(suspect.key);
  tile.className = `tile ${dropped ? "drop" : "keep"} ${decided ? "decided" : "open"}`;
  find(".fate", tile).textContent = dropped ? "\u2715 drop" : "\u2713 keep";
  const face = find(".face", tile);
  face.setAttribute("aria-pressed", dropped);
  const copy = suspect.twinName ? `, a copy of ${suspect.twinName}` : "";
  const said = `score ${suspect.score}, threshold ${suspect.threshold}${copy}${decided ? ", decided" : ""}`;
  face.setAttribute("aria-label", `Drop ${suspect.name}: ${said}`);
}

function updateStatus() {
  reasons.forEach(({ suspects }, index) => {
    const done = suspects.filter(({ key }) => choices.has(key)).length;
    const bar = find("progress", tabs[index]);
    bar.value = done;
    tabs[index].classList.toggle("done", done === suspects.length);
    tabs[index].title = `${done} of ${suspects.length} decided`;
  });
  const due = unsaved();
  const decided = [...keys].filter((key) => choices.has(key)).length;
  const warning = stores ? "" : " (this browser stores nothing: save before you leave)";
  find("#state").textContent =
    `${decided} of ${keys.size} decided, ${due ? `${due} not saved` : "all saved"}${warning}`;
  find("#save").classList.toggle("due", due > 0);
  find("#undo").disabled = !past.length;
  document.title = (due ? `(${due}) ` : "") + title;
}

// The current picture.
const title = document.title;
const here = () => built[shown]?.[places[shown]];

function go(index) {
  const tiles = built[shown];
  if (!tiles?.[index]) return;
  const before = find(".face", here());
  if (before) before.tabIndex = -1;
  places[shown] = index;
  fill(tiles[index]);
  const face = find(".face", tiles[index]);
  face.tabIndex = 0;
  if (dialog.open) return enlarge();
  face.focus({ preventScroll: true });
  tiles[index].scrollIntoView({ block: "nearest" });
}

function isVisible(tile) {
  const { top, bottom } = tile.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}

// Keys act on the focused picture; one out of view is scrolled into view first.
function isReady() {
  const tile = here();
  if (!tile) return false;
  if (dialog.open || tile.contains(document.activeElement)) return true;
  const seen = isVisible(tile);
  go(tile.index);
  return seen;
}

function below(tile, by) {
  const tiles = built[shown];
  const rows = [];
  for (const list of findAll(".tiles", panels[shown])) {
    const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
    const members = tiles.filter((one) => one.parentElement === list);
    for (let start = 0; start < members.length; start += columns)
      rows.push(members.slice(start, start + columns));
  }
  const row = rows.findIndex((one) => one.includes(tile));
  const next = rows[row + by];
  return next ? next[Math.min(rows[row].indexOf(tile), next.length - 1)].index : tile.index;
}

function decideCurrent(choice) {
  if (!isReady()) return;
  const tile = here();
  decide([tile.suspect], choice);
  go(tile.index + 1);
}

// The picture enlarged by whole pixels, next to the picture that it copies.
const dialog = find("dialog");

function enlarge() {
  const { suspect } = here();
  const pictures = [picture(suspect.face, suspect.name)];
  if (suspect.twin) pictures.push(picture(suspect.twin, suspect.twinName ?? "its twin"));
  const frames = pictures.map((image, index) => {
    const frame = make("figure");
    const name = make("figcaption");
    name.append(
      make("bdi", "", image.alt),
      make("small", "", index ? " stays" : ` ${suspect.size}`),
    );
    frame.append(image, name);
    image.decode().then(() => {
      const room = Math.min(
        (innerWidth * 0.84) / pictures.length / image.naturalWidth,
        (innerHeight * 0.6) / image.naturalHeight,
      );
      image.width = Math.round(image.naturalWidth * (room < 1 ? room : Math.floor(room)));
      frame.style.width = `${image.width}px`;
    });
    return frame;
  });
  find(".close-up", dialog).replaceChildren(...frames);
  const choice = fate(suspect.key);
  const by = choices.has(suspect.key) ? "you decided" : "by the threshold";
  const mark = make("b", choice, choice === "drop" ? "\u2715 drop" : "\u2713 keep");
  const place = `${places[shown] + 1} of ${reasons[shown].suspects.length}`;
  find(".about", dialog).replaceChildren(
    mark,
    ` ${by} \u00b7 ${reasons[shown].name} ${against(suspect)} \u00b7 ${place}`,
  );
  if (dialog.open) return;
  dialog.showModal();
  dialog.focus();
}

dialog.addEventListener("close", () => go(places[shown]));
dialog.addEventListener("click", (event) => {
  const action = event.target.dataset.do;
  if (action === "close" || event.target === dialog || event.target.localName === "img")
    dialog.close();
  if (action === "keep" || action === "drop") settle(action);
  if (action === "back") go(places[shown] - 1);
  if (action === "on") go(places[shown] + 1);
});

function settle(choice) {
  decideCurrent(choice);
  if (dialog.open) enlarge();
}

// Keys and clicks.
const moves = {
  ArrowLeft: (tile) => tile.index - 1,
  ArrowRight: (tile) => tile.index + 1,
  ArrowUp: (tile) => (dialog.open ? tile.index - 1 : below(tile, -1)),
  ArrowDown: (tile) => (dialog.open ? tile.index + 1 : below(tile, 1)),
  Home: () => 0,
  End: () => built[shown].length - 1,
};

// Show a reason at its current picture.
function choose(reason) {
  if (!panels[reason]) return;
  if (dialog.open) dialog.close();
  show(reason);
  panels[reason].scrollIntoView();
  go(places[reason]);
}

function toggleZoom() {
  if (dialog.open) return dialog.close();
  if (isReady()) enlarge();
}

function press(key, target) {
  const onButton = target.localName === "button" || target.localName === "summary";
  const onTile = target.classList.contains("face") || target === document.body || target === dialog;
  if (target.getAttribute("role") === "tab" && (key === "ArrowLeft" || key === "ArrowRight")) {
    show(shown + (key === "ArrowRight" ? 1 : -1));
    tabs[shown].focus();
  } else if (moves[key] && (onTile || dialog.open)) {
    if (target === document.body && !(here() && isVisible(here()))) return false;
    if (isReady()) go(moves[key](here()));
  } else if (key === "k" || key === "d") settle(key === "k" ? "keep" : "drop");
  else if (key === "u") undo();
  else if (key === "z" || (key === "Enter" && (onTile || !onButton))) toggleZoom();
  else if (/^[1-9]$/.test(key)) choose(Number(key) - 1);
  else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ((event.ctrlKey || event.metaKey) && key === "s") {
    event.preventDefault();
    return save();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || !panels.length) return;
  if (press(key, event.target)) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const tile = button?.closest(".tile");
  if (tile) {
    go(tile.index);
    if (button.className === "zoom") return enlarge();
    decide([tile.suspect], fate(tile.suspect.key) === "drop" ? "keep" : "drop");
  } else if (button?.getAttribute("role") === "tab") {
    show(tabs.indexOf(button));
    if (panels[shown].getBoundingClientRect().top < 0) panels[shown].scrollIntoView();
  } else if (button?.dataset.all) {
    const part = String(button.closest(".part").dataset.flagged);
    decide(
      reasons[shown].suspects.filter((one) => String(one.flagged) === part),
      button.dataset.all,
    );
  } else if (button?.id === "undo") undo();
  else if (button?.id === "save") save();
});

addEventListener("beforeunload", (event) => {
  if (unsaved()) event.preventDefault();
});

if (panels.length) {
  recall();
  remember();
  show(0);
  updateStatus();
}
