// @ts-check

// The current picture: it has the focus, or is enlarged.

/**
 * Make another picture of the shown reason the current one.
 *
 * @param {number} index
 */
function goTo(index) {
  const next = tiles[shownReason]?.[index];
  if (!next) return;
  const previous = currentTile()?.element.querySelector(".face");
  if (previous instanceof HTMLElement) previous.tabIndex = -1;
  currentIndices[shownReason] = index;
  fillTile(next);
  const face = find(".face", next.element);
  face.tabIndex = 0;
  if (dialog.open) return enlargeCurrent();
  face.focus({ preventScroll: true });
  next.element.scrollIntoView({ block: "nearest" });
}

/** @param {Tile} tile */
function isVisible(tile) {
  const { top, bottom } = tile.element.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}

/**
 * Return the current tile if keys may act on it: it is enlarged, focused or at least visible. A tile
 * out of view is only scrolled into view.
 */
function focusedTile() {
  const tile = currentTile();
  if (!tile) return null;
  if (dialog.open || tile.element.contains(document.activeElement)) return tile;
  const wasVisible = isVisible(tile);
  goTo(tile.index);
  return wasVisible ? tile : null;
}

/**
 * Return the index of the tile some rows below, or of the same tile if there is no such row.
 *
 * @param {Tile} tile
 * @param {number} offset in rows
 */
function indexBelow(tile, offset) {
  const rows = findAll(".tiles", panels[shownReason]).flatMap(splitIntoRows);
  const row = rows.findIndex((members) => members.includes(tile));
  const next = rows[row + offset];
  if (!next) return tile.index;
  return next[Math.min(rows[row].indexOf(tile), next.length - 1)].index;
}

/** @param {HTMLElement} grid */
function splitIntoRows(grid) {
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const members = tiles[shownReason].filter(({ element }) => element.parentElement === grid);
  const rows = [];
  for (let start = 0; start < members.length; start += columns)
    rows.push(members.slice(start, start + columns));
  return rows;
}

/**
 * Show a reason at its current picture.
 *
 * @param {number} reason
 */
function openReason(reason) {
  if (!panels[reason]) return;
  dialog.close();
  showReason(reason);
  panels[reason].scrollIntoView();
  goTo(currentIndices[reason]);
}

function toggleCloseUp() {
  if (dialog.open) dialog.close();
  else if (focusedTile()) enlargeCurrent();
}
