// @ts-check
/** Tools for a collection and for the selected saved faces. */

import {
  addToCollection,
  deleteCollection,
  exportUrl,
  removeFromCollection,
  renameCollection,
} from "../state/api.js";
import { notifyError } from "../state/messages.js";
import { go } from "../state/router.js";
import { forget } from "../state/saved.js";
import { deselect, isSelected } from "../state/selection.js";
import { counted } from "../state/text.js";
import { button, byId, confirmButton, element, linkButton, menu } from "../ui/dom.js";
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
    menu(
      "Export",
      linkButton("Faces and stories", exportUrl(collection.id), { download: "" }),
      linkButton("With the generator", exportUrl(collection.id, true), { download: "" }),
      element("p.quiet", {}, "With the generator, a friend can draw the faces and change them."),
    ),
    confirmButton("Delete collection", "Delete it? Its faces stay saved", remove),
  ];
}

/**
 * Return the tools for the selected saved faces, which are hidden while none is selected.
 *
 * @param {Collection[]} collections
 * @param {Collection | undefined} open the collection that is shown
 * @param {() => void} refresh
 */
export function selectionTools(collections, open, refresh) {
  /** @param {(saved: SavedFace) => Promise<unknown>} act */
  const forSelected = async (act) => {
    const selected = selectedSaved();
    await Promise.all(selected.map(act)).then(refresh, notifyError);
    deselect(selected.map(({ face }) => face));
  };
  const others = collections.filter(({ id }) => id !== open?.id);
  /** @type {[string | number, string][]} */
  const options = [["", ""], ...others.map(toOption)];
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
  const forgetSelected = button("", () => forget(selectedSaved(), refresh));
  const root = element("div.row", {}, others.length > 0 && add, remove, forgetSelected);
  const update = () => {
    const count = selectedSaved().length;
    root.hidden = !count;
    add.options[0].text = `Add ${counted(count, "face")} to…`;
    forgetSelected.textContent = `Forget ${counted(count, "face")}`;
  };
  update();
  return { root, update };
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
