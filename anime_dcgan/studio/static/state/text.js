// @ts-check
/** Formatting of numbers. */

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
