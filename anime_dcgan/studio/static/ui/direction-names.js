// @ts-check
/** Names of directions, which are measured while the page waits, and which users can change. */

import { getDirections, nameDirection } from "../state/api.js";
import { isBusy } from "../state/errors.js";
import { announce, notifyError } from "../state/messages.js";
import { button, element } from "./dom.js";

/** @import { Direction, Directions, Generator } from "../state/types.d.ts" */

const POLL_SECONDS = 0.8;
/** @type {Directions} */
const UNKNOWN = { directions: [], range: 0, progress: 0 };

/**
 * Call `show` with the directions, again and again until their names are measured. While the server
 * is busy, there are none.
 *
 * @param {Generator} generator
 * @param {{ method: string, count: number, layers?: string }} request
 * @param {AbortSignal} signal
 * @param {(found: Directions) => void} show
 */
export async function watchDirections(generator, request, signal, show) {
  while (!signal.aborted) {
    const found = await getDirections(generator, request, signal).catch((error) => {
      if (isBusy(error)) return UNKNOWN;
      throw error;
    });
    show(found);
    if (found.progress === 1) return;
    await new Promise((done) => setTimeout(done, 1000 * POLL_SECONDS));
  }
}

/**
 * Return the name of a direction, which a click edits in place.
 *
 * @param {Generator} generator
 * @param {(direction: Direction) => void} onname called with the new name
 */
export function nameButton(generator, onname) {
  /** @type {Direction | null} */
  let direction = null;
  const created = button("", edit, { class: "name", title: "Rename" });
  function edit() {
    if (direction) editInPlace(created, direction, save);
  }
  /** @param {Direction} next */
  function show(next) {
    direction = next;
    created.textContent = next.name;
    created.classList.toggle("named", next.source === "user" || next.source === "inherited");
  }
  /** @param {string | null} name */
  async function save(name) {
    if (!direction || name === direction.name) return;
    const before = direction;
    if (name) onname({ ...before, name, source: "user" });
    try {
      await nameDirection(generator, before.id, name, before.sign);
      announce("Name saved");
      if (name) return;
      const request = { method: before.id.split(".")[0], count: indexOf(before.id) + 1 };
      const { directions } = await getDirections(generator, request, new AbortController().signal);
      onname(directions[indexOf(before.id)]);
    } catch (error) {
      onname(before);
      notifyError(error);
    }
  }
  return { root: created, show };
}

/** @param {string} id */
const indexOf = (id) => Number(id.split(".")[1]);

/**
 * Replace a button by a text box until Enter, Escape or a click elsewhere.
 *
 * @param {HTMLElement} button
 * @param {Direction} direction
 * @param {(name: string | null) => void} save called with null for an empty name
 */
function editInPlace(button, { name }, save) {
  const box = element("input", {
    type: "text",
    maxlength: 60,
    value: name,
    placeholder: "Measured name",
    "aria-label": `Name of ${name}`,
  });
  button.replaceWith(box);
  box.focus();
  box.select();
  let ended = false; // removing the box fires blur as well
  /** @param {boolean} saves */
  const end = (saves) => {
    if (ended) return;
    ended = true;
    box.replaceWith(button);
    button.focus();
    if (saves) save(box.value.trim() || null);
  };
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") end(true);
    if (event.key === "Escape") end(false);
  });
  box.addEventListener("blur", () => end(true));
}
