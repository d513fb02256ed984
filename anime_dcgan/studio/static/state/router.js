/** The address of the page is what it shows: `#/wall?run=...&seed=5`. */

import { query } from "./api.js";

let views = {};
let shown = null;
let changed = () => {};
let completed = (_name, words) => words;
const origins = [];

/** @returns {{view: string, words: Object<string, string>}} of an address. */
export function parse(hash) {
  const [path, rest = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { view: path, words: Object.fromEntries(new URLSearchParams(rest)) };
}

/** The address of a view with these words; a string is a query already. */
export function link(view, words = {}) {
  const text = typeof words === "string" ? words : query(words);
  return `#/${view}${text ? `?${text}` : ""}`;
}

/** Go there, as one step of the back button. */
export function go(view, words) {
  location.hash = link(view, words);
}

/** Be there without a step: for what changes while one looks at it. */
export function replace(view, words) {
  history.replaceState(null, "", link(view, words));
  show();
}

/** Show the same address once more: it may mean something else now. */
export function again() {
  shown = null;
  show();
}

/** Say in the address what the view shows already. */
export function note(view, words) {
  history.replaceState(null, "", link(view, words));
  shown.words = parse(location.hash).words;
  shown.hash = location.hash;
  changed(shown);
}

/** Back to the view from which this one was opened, or to `otherwise`. */
export function leaveTo(otherwise) {
  location.hash = origins.at(-1) ?? otherwise;
}

/** The view that is shown: {name, words, view}. */
export const current = () => shown;

/**
 * Show the view of the address, now and whenever it changes.
 *
 * A view is a function `(place, words) => {update?, leave?, keys?, title?}`: `update(words)` is
 * called once it stands, and when the same view gets other words; `leave()` before another comes.
 *
 * @param {Object<string, Function>} all the views by name
 * @param {{onChange: Function, complete: Function}} hooks `complete(name, words)` adds the words
 *   that an address left out
 */
export function start(all, { onChange, complete }) {
  views = all;
  changed = onChange;
  completed = complete;
  addEventListener("hashchange", show);
  show();
}

function show() {
  const asked = parse(location.hash);
  const name = asked.view in views ? asked.view : "wall";
  const words = completed(name, asked.words);
  if (link(name, words) !== link(asked.view, asked.words)) history.replaceState(null, "", link(name, words));
  if (shown?.name !== name || !shown.view.update) exchange(name, words);
  Object.assign(shown, { words, hash: location.hash });
  shown.view.update?.(words);
  document.title = `${shown.view.title ?? name} · studio`;
  changed(shown);
}

function exchange(name, words) {
  shown?.view.leave?.();
  if (shown) rememberOrigin(name);
  const place = document.getElementById("view");
  place.replaceChildren();
  place.className = `view-${name}`;
  scrollTo(0, 0);
  shown = { name, words, hash: location.hash, view: {} };
  shown.view = views[name](place, words);
}

/** The views that led here, each once: from a face back to the wall, not to the face before. */
function rememberOrigin(name) {
  const known = origins.findIndex((hash) => parse(hash).view === name);
  if (known >= 0) origins.length = known;
  else origins.push(shown.hash);
}
