/** Into which collections a face goes. */

import { addCollection, collect, findKept, keep, listCollections, uncollect } from "../state/api.js";
import { button, element, menu } from "./dom.js";
import { sayError } from "./notice.js";

/** A menu of all collections for one face, which is kept as soon as it goes into one. */
export function collectionMenu(face) {
  const list = element("div.choices");
  const made = menu("Collections", list);
  const load = async () => {
    const [{ collections }, kept] = await Promise.all([listCollections(), findKept(face)]);
    list.replaceChildren(...collections.map((one) => membership(one, face, kept)), newCollection(load));
  };
  made.addEventListener("toggle", () => made.open && load().catch(sayError));
  return made;
}

function membership(collection, face, kept) {
  const box = element("input", { type: "checkbox" });
  box.checked = Boolean(kept?.collections.includes(collection.id));
  const put = async () => {
    const { id } = kept ?? (await keep({ face }));
    await (box.checked ? collect : uncollect)(collection.id, id);
  };
  box.addEventListener("change", () => put().catch(sayError));
  return element("label", {}, box, collection.name);
}

/** A box for the name of a new collection. */
export function newCollection(done) {
  const name = element("input", { type: "text", maxlength: 100, placeholder: "New collection", "aria-label": "Name of a new collection" });
  const add = async () => {
    if (!name.value.trim()) return name.focus();
    try {
      const made = await addCollection(name.value.trim());
      name.value = "";
      await done(made);
    } catch (error) {
      sayError(error);
    }
  };
  name.addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), add()));
  return element("div.inline", {}, name, button("Add", add));
}
