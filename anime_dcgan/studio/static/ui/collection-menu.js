// @ts-check
/** The menu of a face's collections. */

import {
  addToCollection,
  createCollection,
  findSaved,
  listCollections,
  removeFromCollection,
  saveFace,
} from "../state/api.js";
import { notifyError } from "../state/messages.js";
import { button, element, menu } from "./dom.js";

/** @import { Collection, Face, SavedFace } from "../state/types.d.ts" */

/**
 * Return a menu of all collections for one face. Adding the face to a collection saves it.
 *
 * @param {Face} face
 */
export function collectionMenu(face) {
  const list = element("div.choices");
  const created = menu("Collections", list);
  const load = async () => {
    const [{ collections }, saved] = await Promise.all([listCollections(), findSaved(face)]);
    const boxes = collections.map((collection) => membership(collection, face, saved));
    list.replaceChildren(...boxes, newCollection(load));
  };
  created.addEventListener("toggle", () => created.open && load().catch(notifyError));
  return created;
}

/**
 * @param {Collection} collection
 * @param {Face} face
 * @param {SavedFace | null} saved
 */
function membership(collection, face, saved) {
  const box = element("input", { type: "checkbox" });
  box.checked = Boolean(saved?.collections.includes(collection.id));
  const update = async () => {
    const { id } = saved ?? (await saveFace({ face }));
    await (box.checked ? addToCollection : removeFromCollection)(collection.id, id);
  };
  box.addEventListener("change", () => update().catch(notifyError));
  return element("label", {}, box, collection.name);
}

/**
 * Return a text box that creates a collection.
 *
 * @param {(collection: Collection) => unknown} onCreated
 */
export function newCollection(onCreated) {
  const name = element("input", {
    type: "text",
    maxlength: 100,
    placeholder: "New collection",
    "aria-label": "Name of the new collection",
  });
  const add = async () => {
    if (!name.value.trim()) return name.focus();
    try {
      const collection = await createCollection(name.value.trim());
      name.value = "";
      await onCreated(collection);
    } catch (error) {
      notifyError(error);
    }
  };
  name.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    add();
  });
  return element("div.inline", {}, name, button("Add", add));
}
