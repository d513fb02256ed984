// @ts-check
/** Keyboard shortcuts, and the dialog that lists them. */

import { currentKeys, open } from "../state/router.js";
import { toggleRendering } from "../state/settings.js";
import { button, byId, element } from "./dom.js";

/** @type {[title: string, shortcuts: [key: string, text: string][]][]} */
const SHORTCUTS = [
  [
    "Everywhere",
    [
      ["?", "Keyboard shortcuts"],
      ["S", "Smooth or pixelated enlargement"],
      ["Esc", "Back"],
      ["1 … 7", "Make yours, Faces, Epochs, Mix, Saved, Projection, Runs"],
    ],
  ],
  [
    "Faces",
    [
      ["← ↑ ↓ →", "Move between faces"],
      ["Enter", "Open"],
      ["F", "Favourite"],
      ["Space", "Select"],
      ["R", "Random seed"],
    ],
  ],
  [
    "One face",
    [
      ["R", "Random face"],
      ["← →", "Previous or next seed"],
      ["F", "Favourite"],
      ["Space", "Select"],
      ["E", "Edit"],
    ],
  ],
  [
    "Epochs",
    [
      [", .", "Previous or next epoch"],
      ["R", "Random seed"],
    ],
  ],
  [
    "Edit",
    [
      ["Ctrl Z", "Undo"],
      ["Ctrl Shift Z", "Redo"],
      ["Double-click", "Reset a slider to 0"],
    ],
  ],
  [
    "Saved",
    [
      ["/", "Search"],
      ["Del", "Forget; can be undone for ten seconds"],
    ],
  ],
  [
    "Family",
    [
      ["↑ ↓", "Parent or child"],
      ["← →", "Neighbour in the same generation"],
    ],
  ],
];

/**
 * Handle the keys that no control has handled.
 *
 * @param {HTMLAnchorElement[]} links of the navigation, opened by the digits
 */
export function listenForShortcuts(links) {
  addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || event.altKey) return;
    if (!isTyping(target)) {
      if (handle(event, target, links)) event.preventDefault();
    } else if (event.key === "Escape") target.blur();
  });
}

/**
 * Return true if the key was handled.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLElement} target
 * @param {HTMLAnchorElement[]} links
 */
function handle(event, target, links) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const withControl = event.ctrlKey || event.metaKey;
  if (document.querySelector("dialog[open]")) return false;
  if (!withControl && handleEverywhere(key, links)) return true;
  const action = currentKeys()[key];
  if (!action || (withControl && !["z", "y"].includes(key))) return false;
  if (key === " " && !target.matches(".tile, .big, body, h1")) return false;
  if (key.startsWith("Arrow") && target.matches("input[type=range], .tile, summary")) return false;
  return action(event) !== false;
}

/**
 * @param {string} key
 * @param {HTMLAnchorElement[]} links
 */
function handleEverywhere(key, links) {
  const digit = /^[1-9]$/.test(key) ? Number(key) : 0;
  if (key === "?") showShortcuts();
  else if (key === "s") toggleRendering();
  else if (links[digit - 1]) open(links[digit - 1].hash);
  else return false;
  return true;
}

/** @param {HTMLElement} target */
function isTyping(target) {
  return target.matches?.(
    "textarea, select, input:not([type=range], [type=checkbox], [type=file])",
  );
}

/** Open the dialog with all shortcuts. */
export function showShortcuts() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("shortcuts"));
  const lists = SHORTCUTS.map(([title, shortcuts]) => {
    const rows = shortcuts.map(([key, text]) => {
      const term = element("dt", {}, element("kbd", {}, key));
      return element("div", {}, term, element("dd", {}, text));
    });
    return element("section", {}, element("h2", {}, title), element("dl", {}, ...rows));
  });
  const close = button("Close", () => dialog.close(), { class: "primary" });
  dialog.replaceChildren(element("div.shortcut-lists", {}, ...lists), close);
  dialog.showModal();
}
