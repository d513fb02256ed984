// @ts-check

// Deciding, undoing and saving.

/** @typedef {{ reason: number, index: number, before: [string, Choice | undefined][] }} Step */

/** @type {Step[]} */
const undoSteps = [];
const pageTitle = document.title;

/**
 * Decide about suspects of the shown reason in one step.
 *
 * @param {Suspect[]} some
 * @param {Choice} choice
 */
function decide(some, choice) {
  undoSteps.push({
    reason: shownReason,
    index: currentIndices[shownReason],
    before: some.map(({ key }) => [key, choices.get(key)]),
  });
  change(some.map(({ key }) => [key, choice]));
}

function undo() {
  const step = undoSteps.pop();
  if (!step) return;
  change(step.before);
  showReason(step.reason);
  goTo(step.index);
}

/** @param {[string, Choice | undefined][]} changes */
function change(changes) {
  setChoices(changes);
  for (const [key] of changes) filledTilesByKey.get(key)?.forEach(updateTile);
  updateStatus();
}

/**
 * Decide about the current picture and go to the next.
 *
 * @param {Choice} choice
 */
function decideCurrent(choice) {
  const tile = focusedTile();
  if (!tile) return;
  decide([tile.suspect], choice);
  goTo(Math.min(tile.index + 1, tiles[shownReason].length - 1));
}

/** @param {Tile} tile */
function toggle(tile) {
  goTo(tile.index);
  decide([tile.suspect], outcomeOf(tile.suspect.key) === "drop" ? "keep" : "drop");
}

function save() {
  downloadChoices();
  updateStatus();
}

function updateStatus() {
  reasons.forEach((reason, index) => updateTab(tabs[index], reason));
  const unsaved = countUnsaved();
  const state = unsaved ? `${unsaved} unsaved` : "all saved";
  const warning = isStorageAvailable
    ? ""
    : " (this browser stores no choices: save before leaving)";
  find("#state").textContent = `${countDecided()} of ${keys.size} decided, ${state}${warning}`;
  find("#save").classList.toggle("unsaved", unsaved > 0);
  const undoButton = /** @type {HTMLButtonElement} */ (find("#undo"));
  undoButton.disabled = !undoSteps.length;
  document.title = (unsaved ? `(${unsaved}) ` : "") + pageTitle;
}

/**
 * @param {HTMLElement} tab
 * @param {Reason} reason
 */
function updateTab(tab, { suspects }) {
  const decided = suspects.filter(({ key }) => choices.has(key)).length;
  const progress = /** @type {HTMLProgressElement} */ (find("progress", tab));
  progress.value = decided;
  tab.classList.toggle("done", decided === suspects.length);
  tab.title = `${decided} of ${suspects.length} decided`;
}
