// @ts-check

// Keys and clicks.

/**
 * The next picture by key.
 *
 * @type {Record<string, (tile: Tile) => number>}
 */
const MOVES = {
  ArrowLeft: (tile) => tile.index - 1,
  ArrowRight: (tile) => tile.index + 1,
  ArrowUp: (tile) => (dialog.open ? tile.index - 1 : indexBelow(tile, -1)),
  ArrowDown: (tile) => (dialog.open ? tile.index + 1 : indexBelow(tile, 1)),
  Home: () => 0,
  End: () => tiles[shownReason].length - 1,
};

/** @param {KeyboardEvent} event */
function onKeyDown(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const target = /** @type {HTMLElement} */ (event.target);
  if ((event.ctrlKey || event.metaKey) && key === "s") {
    event.preventDefault();
    return save();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (moveByKey(key, target) || actByKey(key, target)) event.preventDefault();
}

/**
 * Return true if the key moves to another tab or picture.
 *
 * @param {string} key
 * @param {HTMLElement} target
 */
function moveByKey(key, target) {
  if (target.role === "tab" && (key === "ArrowLeft" || key === "ArrowRight")) {
    showReason(shownReason + (key === "ArrowRight" ? 1 : -1));
    tabs[shownReason].focus();
    return true;
  }
  const move = MOVES[key];
  if (!move || !(isOnPicture(target) || dialog.open)) return false;
  const current = currentTile();
  if (target === document.body && !(current && isVisible(current))) return false; // scroll the page
  const tile = focusedTile();
  if (tile) goTo(move(tile));
  return true;
}

/**
 * Return true if the key has a meaning.
 *
 * @param {string} key
 * @param {HTMLElement} target
 */
function actByKey(key, target) {
  const isOnButton = target.localName === "button" || target.localName === "summary";
  if (key === "k") decideCurrent("keep");
  else if (key === "d") decideCurrent("drop");
  else if (key === "u") undo();
  else if (key === "z" || (key === "Enter" && (isOnPicture(target) || !isOnButton)))
    toggleCloseUp();
  else if (/^[1-9]$/.test(key)) openReason(Number(key) - 1);
  else return false;
  return true;
}

/** @param {HTMLElement} target */
function isOnPicture(target) {
  return target.classList.contains("face") || target === document.body || target === dialog;
}

/** @param {MouseEvent} event */
function onClick(event) {
  const button = /** @type {HTMLElement} */ (event.target).closest("button");
  if (!button) return;
  const tile = tileByElement.get(button.closest(".tile") ?? button);
  if (tile && button.className === "zoom") {
    goTo(tile.index);
    enlargeCurrent();
  } else if (tile) toggle(tile);
  else if (button.role === "tab") {
    showReason(tabs.indexOf(button));
    if (panels[shownReason].getBoundingClientRect().top < 0) panels[shownReason].scrollIntoView();
  } else if (button.dataset.all) decideGroup(button);
  else if (button.id === "undo") undo();
  else if (button.id === "save") save();
}

/** @param {HTMLButtonElement} button of a group of the shown reason: dropped or borderline */
function decideGroup(button) {
  const group = /** @type {HTMLElement} */ (button.closest(".group"));
  const members = reasons[shownReason].suspects.filter(
    ({ flagged }) => String(flagged) === group.dataset.flagged,
  );
  decide(members, /** @type {Choice} */ (button.dataset.all));
}

/** @param {MouseEvent} event */
function onDialogClick(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  const action = target.dataset.action;
  if (action === "close" || target === dialog || target.localName === "img") dialog.close();
  if (action === "keep" || action === "drop") decideCurrent(action);
  if (action === "previous") goTo(currentIndices[shownReason] - 1);
  if (action === "next") goTo(currentIndices[shownReason] + 1);
}

if (panels.length) {
  document.addEventListener("keydown", onKeyDown);
  document.addEventListener("click", onClick);
  dialog.addEventListener("click", onDialogClick);
  dialog.addEventListener("close", () => goTo(currentIndices[shownReason]));
  addEventListener("beforeunload", (event) => {
    if (countUnsaved()) event.preventDefault();
  });
  restoreChoices();
  storeChoices();
  showReason(0);
  updateStatus();
}
