// @ts-check
/** Tools for a collection and for the selected saved faces. */

import {
  addToCollection,
  deleteCollection,
  deleteSaved,
  exportUrl,
  removeFromCollection,
  renameCollection,
} from "../state/api.js";
import { notify, notifyError } from "../state/messages.js";
import { go } from "../state/router.js";
import { deselect, isSelected } from "../state/selection.js";
import { button, byId, confirmButton, element, linkButton } from "../ui/dom.js";
import { dropdown } from "../ui/fields.js";
import { tilesIn } from "../ui/tiles.js";

/** @import { Collection, SavedFace } from "../state/types.d.ts" */

/**
 * Return the tools to rename, export and delete a collection.
 *
 * @param {Collection} collection
 * @param {() => void} refresh
 */
export function collectionTools(collection, refresh) {
  const name = element("input", {
    type: "text",
    maxlength: 100,
    value: collection.name,
    "aria-label": "Name of the collection",
  });
  name.addEventListener("change", () => {
    const next = name.value.trim();
    if (next && next !== collection.name)
      renameCollection(collection.id, next).then(refresh, notifyError);
  });
  const remove = () => deleteCollection(collection.id).then(() => go("saved", {}), notifyError);
  return [
    name,
    linkButton("Export", exportUrl(collection.id), { download: "" }),
    confirmButton("Delete collection", "Delete it? Its faces stay saved", remove),
  ];
}

/**
 * Return the tools for the selected saved faces.
 *
 * @param {Collection[]} collections
 * @param {Collection | undefined} open the collection that is shown
 * @param {() => void} refresh
 */
export function selectionTools(collections, open, refresh) {
  /** @param {(saved: SavedFace) => Promise<unknown>} act */
  const forSelected = async (act) => {
    const selected = selectedSaved();
    if (!selected.length) return notify("Select faces first, with Space or Shift+click.");
    await Promise.all(selected.map(act)).then(refresh, notifyError);
    deselect(selected.map(({ face }) => face));
  };
  const others = collections.filter(({ id }) => id !== open?.id);
  /** @type {[string | number, string][]} */
  const options = [["", "Add selected to…"], ...others.map(toOption)];
  const add = dropdown(
    options,
    "",
    (id) => id && forSelected((saved) => addToCollection(Number(id), saved.id)),
    { "aria-label": "Add the selected faces to a collection" },
  );
  const remove =
    open &&
    button("Remove from collection", () =>
      forSelected((saved) => removeFromCollection(open.id, saved.id)),
    );
  const deleteSelected = confirmButton("Delete selected", "Delete them for good?", () =>
    forSelected((saved) => deleteSaved(saved.id)),
  );
  return element("div.row", {}, others.length > 0 && add, remove, deleteSelected);
}

/**
 * @param {Collection} collection
 * @returns {[number, string]}
 */
function toOption({ id, name }) {
  return [id, name];
}

/** Return the saved faces on the page that are selected. */
function selectedSaved() {
  return tilesIn(byId("view")).flatMap(({ face, saved }) =>
    saved && isSelected(face) ? [saved] : [],
  );
}
