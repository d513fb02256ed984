// @ts-check
/** Values that survive a reload of the page, but not the end of the browser session. */

const PREFIX = "anime_dcgan.";

/**
 * Return a remembered value, or `fallback`.
 *
 * @template Value
 * @param {string} key
 * @param {Value} fallback
 * @returns {Value}
 */
export function recall(key, fallback) {
  try {
    const text = sessionStorage.getItem(PREFIX + key);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/**
 * Remember a value as long as the browser tab is open; null forgets it.
 *
 * @param {string} key
 * @param {unknown} value
 */
export function remember(key, value) {
  try {
    if (value == null) sessionStorage.removeItem(PREFIX + key);
    else sessionStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Without storage, or if it is full, the value lasts until the page is closed.
  }
}
