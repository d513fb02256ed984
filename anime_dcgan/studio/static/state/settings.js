// @ts-check
/** Settings of the appearance, the only data that the studio stores in the browser. */

/** @typedef {{ theme: string, rendering: string, side: number, visited: boolean }} Settings */

const KEY = "anime_dcgan.appearance";
/** @type {Settings} */
const DEFAULTS = { theme: "system", rendering: "smooth", side: 96, visited: false };

/** @type {[string, string][]} */
export const THEMES = [
  ["system", "System"],
  ["light", "Light"],
  ["dark", "Dark"],
];
/** How pictures are enlarged four times or more; smaller factors repeat pixels. */
/** @type {[string, string][]} */
export const RENDERINGS = [
  ["smooth", "Smooth"],
  ["pixelated", "Pixelated"],
];
/** Limits of the side of a tile, in pixels. */
export const SIDES = { min: 48, max: 256, step: 8 };

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {Settings} */
const settings = { ...DEFAULTS, ...readStored() };

function readStored() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

/**
 * Return the value of a setting.
 *
 * @template {keyof Settings} Name
 * @param {Name} name
 */
export const setting = (name) => settings[name];

/**
 * Call `listener` whenever a setting changes.
 *
 * @param {() => void} listener
 */
export function onSettings(listener) {
  listeners.add(listener);
}

/**
 * Change settings, apply them, and store them.
 *
 * @param {Partial<Settings>} changes
 */
export function changeSettings(changes) {
  Object.assign(settings, changes);
  applySettings();
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Without storage, the settings last until the page is closed.
  }
}

/** Return true once: when the studio is opened for the first time in this browser. */
export function isFirstVisit() {
  const isFirst = !settings.visited;
  if (isFirst) changeSettings({ visited: true });
  return isFirst;
}

/** Switch between pixelated and smooth scaling. */
export function toggleRendering() {
  changeSettings({ rendering: settings.rendering === "pixelated" ? "smooth" : "pixelated" });
}

/** Apply the settings to the page. */
export function applySettings() {
  const root = document.documentElement;
  root.dataset.theme = settings.theme;
  const large = settings.rendering === "pixelated" ? "pixelated" : "auto";
  root.style.setProperty("--rendering-large", large);
  root.style.setProperty("--side", `${settings.side}px`);
  for (const listener of listeners) listener();
}
