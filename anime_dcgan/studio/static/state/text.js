// @ts-check
/** Formatting of numbers and text. */

/**
 * Return "1 face" or "3 faces".
 *
 * @param {number} count
 * @param {string} noun
 */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Return a number with three significant digits.
 *
 * @param {number} value
 */
export function rounded(value) {
  return Number(value.toPrecision(3)).toString();
}

/**
 * Return a text with its first letter in upper case.
 *
 * @param {string} text
 */
export const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);
