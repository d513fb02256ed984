// @ts-check
/** The address of the page names a view and its parameters: `#/wall?run=...&seed=5`. */

import { notify } from "./messages.js";
import { toQueryString } from "./query.js";

/** @import { Params, ParamValues, View, ViewFactory } from "./types.d.ts" */

/** @typedef {{ name: string, params: Params, hash: string, view: View }} ShownView */

/** @type {Record<string, ViewFactory>} */
let views = {};
/** @type {ShownView | null} */
let shown = null;
/** @type {(shown: ShownView) => void} */
let onChange = () => {};
/** @type {(name: string, params: Params) => Params} */
let complete = (_name, params) => params;
/** @type {string[]} */
const origins = [];

/**
 * Return the view and the parameters of an address.
 *
 * @param {string} hash
 * @returns {{ name: string, params: Params }}
 */
export function parse(hash) {
  const [name, rest = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { name, params: Object.fromEntries(new URLSearchParams(rest)) };
}

/**
 * Return the address of a view.
 *
 * @param {string} name
 * @param {ParamValues | string} [params] parameters, or a query
 */
export function link(name, params = {}) {
  const query = typeof params === "string" ? params : toQueryString(params);
  return `#/${name}${query ? `?${query}` : ""}`;
}

/**
 * Open a view and add it to the browser history.
 *
 * @param {string} name
 * @param {ParamValues | string} [params]
 */
export function go(name, params) {
  open(link(name, params));
}

/**
 * Open an address at once: until `hashchange` is fired, the next key would still go to the view that is left, and
 * what that view writes to the address would take the place of the new one.
 *
 * @param {string} hash
 */
export function open(hash) {
  location.hash = hash;
  showChanged();
}

/**
 * Open a view, replacing the current entry of the browser history.
 *
 * @param {string} name
 * @param {ParamValues | string} [params]
 */
export function replace(name, params) {
  history.replaceState(null, "", link(name, params));
  show();
}

/** Create the view of the current address again. */
export function reload() {
  shown?.view.leave?.();
  shown = null;
  show();
}

/**
 * Update the address to the parameters that the view already shows, unless it has been left by a link.
 *
 * @param {string} name
 * @param {ParamValues | string} params
 */
export function updateAddress(name, params) {
  if (!shown || shown.hash !== location.hash) return;
  history.replaceState(null, "", link(name, params));
  shown.params = parse(location.hash).params;
  shown.hash = location.hash;
  onChange(shown);
}

/**
 * Return to the view from which this one was opened, or to `fallback`.
 *
 * @param {string} fallback address
 */
export function goBack(fallback) {
  open(origins.at(-1) ?? fallback);
}

/** Return the actions of the shown view by key. */
export const currentKeys = () => shown?.view.keys ?? {};

/**
 * Show the view of the address, now and whenever the address changes.
 *
 * @param {Record<string, ViewFactory>} factories by name; "wall" is the default
 * @param {object} hooks
 * @param {(shown: ShownView) => void} hooks.onChange called after each change of the address
 * @param {(name: string, params: Params) => Params} hooks.complete adds missing parameters
 */
export function startRouter(factories, hooks) {
  views = factories;
  ({ onChange, complete } = hooks);
  addEventListener("hashchange", showChanged);
  show();
}

function showChanged() {
  if (shown?.hash !== location.hash) show();
}

function show() {
  const address = parse(location.hash);
  const isKnown = Object.hasOwn(views, address.name);
  if (!isKnown && address.name) notify(`There is no page “${address.name.slice(0, 40)}”.`);
  const name = isKnown ? address.name : "wall";
  const params = complete(name, address.params);
  if (link(name, params) !== link(address.name, address.params))
    history.replaceState(null, "", link(name, params));
  const isFirst = shown === null;
  if (shown) rememberFocus(shown.hash);
  const isSwitched = shown?.name !== name || !shown.view.update;
  if (isSwitched || !shown) shown = switchView(name, params);
  Object.assign(shown, { params, hash: location.hash });
  shown.view.update?.(params);
  const title = shown.view.title ?? name;
  document.title = `${title} · studio`;
  if (isSwitched && !isFirst) restoreFocus(shown, title);
  else headingOf(title);
  onChange(shown);
}

/**
 * @param {string} name
 * @param {Params} params
 * @returns {ShownView}
 */
function switchView(name, params) {
  shown?.view.leave?.();
  if (shown) rememberOrigin(name, shown.hash);
  const container = /** @type {HTMLElement} */ (document.getElementById("view"));
  container.replaceChildren();
  container.className = `view-${name}`;
  scrollTo(0, 0);
  return { name, params, hash: location.hash, view: views[name](container, params) };
}

/** Labels of the controls that were left, by address. @type {Map<string, string>} */
const leftControls = new Map();
const FOCUS_SECONDS = 2; // in which the control that was left may appear again

/** @param {Element} control */
const labelOf = (control) => control.getAttribute("aria-label") ?? control.textContent ?? "";

/** @param {string} hash of the view that is left */
function rememberFocus(hash) {
  const focused = document.activeElement;
  if (focused?.closest("#view") && labelOf(focused)) leftControls.set(hash, labelOf(focused));
}

/**
 * Focus the control from which the view was left before, or else its heading. Both may appear later,
 * and the focus stays wherever the user has moved it.
 *
 * @param {ShownView} current
 * @param {string} title
 */
function restoreFocus(current, title) {
  const label = leftControls.get(current.hash);
  const until = performance.now() + 1000 * FOCUS_SECONDS;
  let heading = headingOf(title);
  heading.focus({ preventScroll: true });
  const find = () => {
    if (shown !== current) return;
    if (!heading.isConnected) {
      heading = headingOf(title);
      if (document.activeElement === document.body) heading.focus({ preventScroll: true });
    }
    if (document.activeElement !== heading) return;
    const controls = document.querySelectorAll("#view :is(a, button, summary, input, select)");
    const left = label && [...controls].find((control) => labelOf(control) === label);
    if (left) /** @type {HTMLElement} */ (left).focus({ preventScroll: true });
    else if (performance.now() < until) requestAnimationFrame(find);
  };
  find();
}

/**
 * Return the heading of the shown view, which is added, for screen readers only, if it has none.
 *
 * @param {string} title
 */
function headingOf(title) {
  const container = /** @type {HTMLElement} */ (document.getElementById("view"));
  let heading = container.querySelector("h1");
  if (!heading) {
    heading = document.createElement("h1");
    heading.className = "hidden-heading";
    heading.textContent = title;
    container.prepend(heading);
  }
  heading.tabIndex = -1;
  return heading;
}

/**
 * Remember each view only once, so that a face leads back to the wall, not to the previous face.
 *
 * @param {string} name of the next view
 * @param {string} hash of the view that is left
 */
function rememberOrigin(name, hash) {
  const index = origins.findIndex((origin) => parse(origin).name === name);
  if (index >= 0) origins.length = index;
  else origins.push(hash);
}
