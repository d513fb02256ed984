// @ts-check
/** The bar of selected faces at the bottom of the page. */

import { getSheet } from "../state/api.js";
import { MAX_PARENTS, describeFace, parentParams } from "../state/face.js";
import { canDraw } from "../state/generators.js";
import { notifyError } from "../state/messages.js";
import { go } from "../state/router.js";
import { clearSelection, onSelection, selectedFaces, toggleSelected } from "../state/selection.js";
import { counted } from "../state/text.js";
import { button, byId, element, revokeLater } from "./dom.js";
import { paint } from "./sprite.js";

/** @import { Face } from "../state/types.d.ts" */

/** @type {string | null} */
let url = null;

/** Show the bar while faces are selected. */
export function showSelectionBar() {
  const bar = byId("selection");
  onSelection(() => render(bar));
  render(bar);
}

/** @param {HTMLElement} bar */
async function render(bar) {
  const faces = selectedFaces();
  bar.hidden = !faces.length;
  document.body.classList.toggle("with-selection", faces.length > 0);
  if (!faces.length) return;
  const tiles = faces.map(smallTile);
  const row = element("div.row", { role: "group", "aria-label": "Selected faces" }, ...tiles);
  bar.replaceChildren(row, ...actions(faces).filter((one) => one !== false));
  const columns = Math.min(8, faces.length);
  const blob = await getSheet(faces, columns).catch(notifyError);
  if (!blob || faces !== selectedFaces()) return;
  revokeLater(url);
  url = paint(tiles, blob, columns);
}

/** @param {Face} face */
function smallTile(face) {
  const attributes = {
    class: "small-tile",
    "aria-label": `Deselect ${describeFace(face)}`,
    title: "Deselect",
  };
  return button("", () => toggleSelected(face), attributes);
}

/** @param {Face[]} faces */
function actions(faces) {
  const drawable = faces.filter(canDraw);
  const mix = () => go("mix", parentParams(drawable.slice(0, MAX_PARENTS)));
  return [
    element("span.quiet", {}, counted(faces.length, "face")),
    drawable.length > 0 && button("Mix", mix, { class: "primary" }),
    drawable.length > 0 && button("Film or ZIP", () => go("film", parentParams(drawable))),
    button("Clear", clearSelection),
  ];
}
