// @ts-check

// Tabs and tiles. One reason is shown at a time; its tiles are filled when they come near the
// viewport.

/** @typedef {{ element: HTMLElement, suspect: Suspect, index: number }} Tile */

const tabs = /** @type {HTMLButtonElement[]} */ (findAll("[role=tab]"));
const panels = findAll("[role=tabpanel]");

/**
 * Tiles by reason, created when the reason is first shown.
 *
 * @type {Tile[][]}
 */
const tiles = [];
/** @type {Map<Element, Tile>} */
const tileByElement = new Map();
/** @type {Map<string, Tile[]>} */
const filledTilesByKey = new Map();
let shownReason = 0;
/** Index of the current picture, by reason. */
const currentIndices = reasons.map(() => 0);

const nearViewport = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const tile = tileByElement.get(entry.target);
      if (tile && entry.isIntersecting) fillTile(tile);
    }
  },
  { rootMargin: "900px 0px" },
);

/** @returns {Tile | undefined} */
function currentTile() {
  return tiles[shownReason]?.[currentIndices[shownReason]];
}

/** @param {number} reason */
function showReason(reason) {
  if (!panels[reason]) return;
  tiles[reason] ??= makeTiles(reason);
  tabs.forEach((tab, index) => {
    tab.setAttribute("aria-selected", String(index === reason));
    tab.tabIndex = index === reason ? 0 : -1;
    panels[index].hidden = index !== reason;
  });
  shownReason = reason;
  centreTab(tabs[reason]);
}

/** @param {HTMLElement} tab */
function centreTab(tab) {
  const strip = find("[role=tablist]");
  strip.scrollLeft = tab.offsetLeft - strip.offsetLeft - (strip.clientWidth - tab.offsetWidth) / 2;
}

/** @param {number} reason */
function makeTiles(reason) {
  return reasons[reason].suspects.map((suspect, index) => {
    const tile = { element: make("div", "tile"), suspect, index };
    tileByElement.set(tile.element, tile);
    find(`.group[data-flagged=${suspect.flagged}] .tiles`, panels[reason]).append(tile.element);
    nearViewport.observe(tile.element);
    return tile;
  });
}

/** @param {Tile} tile */
function fillTile(tile) {
  const { element, suspect } = tile;
  if (element.firstChild) return;
  nearViewport.unobserve(element);
  const zoom = make("button", "zoom", "\u2922");
  zoom.type = "button";
  zoom.tabIndex = -1;
  zoom.setAttribute("aria-label", `Enlarge ${suspect.name}`);
  element.append(makeFace(suspect, tile === currentTile()), zoom);
  filledTilesByKey.set(suspect.key, [...(filledTilesByKey.get(suspect.key) ?? []), tile]);
  updateTile(tile);
}

/**
 * @param {Suspect} suspect
 * @param {boolean} isCurrent
 */
function makeFace(suspect, isCurrent) {
  const pictures = make("span", "pictures");
  pictures.append(makeImage(suspect.face, ""));
  if (suspect.twin) pictures.append(makeImage(suspect.twin, ""), make("span", "kept-twin", "kept"));
  const face = make("button", "face");
  face.type = "button";
  face.tabIndex = isCurrent ? 0 : -1;
  face.title = suspect.name;
  face.append(
    pictures,
    make("span", "outcome"),
    make("bdi", "name", suspect.name.split("/").pop()),
    make("span", "score", compareScore(suspect)),
  );
  return face;
}

/** @param {Suspect} suspect */
function compareScore({ score, sign, threshold }) {
  return `${score} ${sign} ${threshold}`;
}

/** @param {Choice} outcome */
function labelOutcome(outcome) {
  return outcome === "drop" ? "\u2715 drop" : "\u2713 keep";
}

/**
 * Show the outcome of a filled tile.
 *
 * @param {Tile} tile
 */
function updateTile({ element, suspect }) {
  const outcome = outcomeOf(suspect.key);
  const isDecided = choices.has(suspect.key);
  element.className = `tile ${outcome}${isDecided ? " decided" : ""}`;
  find(".outcome", element).textContent = labelOutcome(outcome);
  const face = find(".face", element);
  const facts = [`score ${suspect.score}`, `threshold ${suspect.threshold}`];
  if (suspect.twinName) facts.push(`a copy of ${suspect.twinName}`);
  if (isDecided) facts.push("decided");
  face.setAttribute("aria-pressed", String(outcome === "drop"));
  face.setAttribute("aria-label", `Drop ${suspect.name}: ${facts.join(", ")}`);
}
