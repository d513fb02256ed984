/** The one quiet line in which the studio says what happened. */

import { button } from "./dom.js";

const SECONDS = 7;
let timer;

/** Say a line; it goes by itself, or at a click. `action` is [text, function]. */
export function say(text, { bad = false, action = null } = {}) {
  const line = document.getElementById("notice");
  clearTimeout(timer);
  line.replaceChildren(text);
  if (action) line.append(" ", button(action[0], () => (hush(), action[1]())));
  line.classList.toggle("bad", bad);
  line.hidden = false;
  timer = setTimeout(hush, SECONDS * 1000);
}

/** Say what went wrong, unless it is only that nobody waits for it any more. */
export function sayError(error) {
  if (error.name === "AbortError") return;
  if (!error.told) say(error.message, { bad: true });
  if (!error.status && !error.lost) console.error(error);
}

/** For those who do not see the page: progress and results, politely. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}

function hush() {
  document.getElementById("notice").hidden = true;
}

document.getElementById("notice").addEventListener("click", hush);
