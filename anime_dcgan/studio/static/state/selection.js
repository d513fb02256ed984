/** The tray: faces that were chosen for something, kept in mind while one goes from view to view. */

import { sayError, say } from "../ui/notice.js";
import { button, counted, element, release } from "../ui/dom.js";
import { getSheet } from "./api.js";
import { nameOf, toQuery } from "./face.js";
import { go } from "./router.js";
import { paint } from "../ui/sprite.js";

const listeners = new Set();
let faces = [];
let painted = null;

export const tray = () => faces;
export const inTray = (face) => faces.some((one) => toQuery(one) === toQuery(face));

/** Call `listener(faces)` whenever the tray changes; gives the function that ends this. */
export function onTray(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Put other faces into the tray. */
export function setTray(next) {
  faces = next;
  for (const listener of [...listeners]) listener(faces);
}

/** Put a face in, or take it out. */
export function toggleTray(face) {
  const without = faces.filter((one) => toQuery(one) !== toQuery(face));
  if (without.length === faces.length && faces.length >= 256) return say("The tray holds 256 faces.");
  setTray(without.length < faces.length ? without : [...faces, face]);
}

/** The words of the mixing view for these faces. */
export function mixWords(parents) {
  return { parents: parents.map(toQuery).join(" ") };
}

/** Show the tray at the foot of the page while something is in it. */
export function showTray() {
  const place = document.getElementById("tray");
  onTray(() => render(place));
}

async function render(place) {
  place.hidden = !faces.length;
  document.body.classList.toggle("with-tray", faces.length > 0);
  if (!faces.length) return;
  const tiles = faces.map(trayTile);
  place.replaceChildren(element("div.row", { role: "group", "aria-label": "Chosen faces" }, ...tiles), ...actions());
  const drawn = faces;
  const columns = Math.min(8, faces.length);
  const blob = await getSheet(faces, columns).catch(sayError);
  if (!blob || drawn !== faces) return;
  release(painted);
  painted = paint(tiles, blob, columns);
}

function trayTile(face) {
  const words = `${nameOf(face)}: take it out of the tray`;
  return button("", () => toggleTray(face), { class: "small-tile", "aria-label": words, title: "Take it out" });
}

function actions() {
  return [
    element("span.quiet", {}, counted(faces.length, "face")),
    button("Mix", () => go("mix", mixWords(faces.slice(0, 8))), { class: "primary" }),
    button("Film or zip", () => go("film", mixWords(faces))),
    button("Clear", () => setTray([])),
  ];
}
