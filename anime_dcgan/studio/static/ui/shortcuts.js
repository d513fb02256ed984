/** Keys: what they do in each view, and the list of them. */

import { element, button } from "./dom.js";
import { current } from "../state/router.js";
import { toggleRendering } from "../state/settings.js";

const EVERYWHERE = [
  ["?", "These keys"], ["S", "Pixels or smooth"], ["Esc", "Back"], ["1 … 6", "Faces, Epochs, Mix, Picture, Kept, Runs"],
];
const TILES = [["← ↑ ↓ →", "Walk over the faces"], ["Enter", "Open"], ["F", "Favourite"], ["Space", "Choose for the tray"]];
const HELP = {
  wall: ["Faces", [...TILES, ["R", "Other faces"]]],
  face: ["One face", [["R", "Another face at random"], ["← →", "The seed before and after"], ["F", "Favourite"], ["Space", "Choose"], ["E", "Edit"]]],
  epochs: ["Epochs", [[", .", "The epoch before and after"], ["R", "Other faces"]]],
  edit: ["Edit", [["Ctrl Z", "Undo"], ["Ctrl Shift Z", "Redo"], ["Double click", "A slider back to 0"]]],
  kept: ["Kept", [["/", "Search"], ["Del Del", "Forget for good"]]],
  family: ["Family", [["↑ ↓", "Parent, child"], ["← →", "Beside"]]],
};

/** Hear all keys that no control wants for itself. */
export function listen(places) {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey) return;
    if (isTyping(event.target) && event.key !== "Escape") return;
    if (isTyping(event.target) && event.key === "Escape") return void event.target.blur();
    if (act(event, places)) event.preventDefault();
  });
}

function act(event, places) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const plain = !event.ctrlKey && !event.metaKey;
  if (document.querySelector("dialog[open]")) return false;
  if (plain && key === "?") return showKeys();
  if (plain && key === "s") return toggleRendering(), true;
  if (plain && /^[1-9]$/.test(key) && places[key - 1]) return (location.hash = places[key - 1].hash), true;
  const wanted = current()?.view.keys?.[key];
  if (!wanted || (!plain && !["z", "y"].includes(key))) return false;
  if (key === " " && !event.target.matches(".tile, .big, body")) return false;
  if (key.startsWith("Arrow") && event.target.matches("input[type=range], .tile, summary")) return false;
  return wanted(event) !== false;
}

function isTyping(target) {
  return target.matches?.("textarea, select, input:not([type=range], [type=checkbox], [type=file])");
}

/** The keys of all views. */
export function showKeys() {
  const dialog = document.getElementById("keys");
  const rows = (keys) => keys.map(([key, text]) => element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, text)));
  const lists = [["Everywhere", EVERYWHERE], ...Object.values(HELP)].map(([title, keys]) =>
    element("section", {}, element("h2", {}, title), element("dl", {}, ...rows(keys))));
  dialog.replaceChildren(element("div.key-lists", {}, ...lists), button("Close", () => dialog.close(), { class: "primary" }));
  dialog.showModal();
  return true;
}
