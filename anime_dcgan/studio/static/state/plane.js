// @ts-check
/** The plane of faces along two directions: endless, and always within what the network knows. */

import { withMoves } from "./face.js";

/** @import { Direction, Face } from "./types.d.ts" */

const RANGE = 3; // steps, after which a direction turns back
const MAX_STEP = 10; // of a face
const WANDER = 1.5; // steps of the directions that change slowly far from the middle
const PERIODS = [31, 23];

/**
 * Return directions with a measured or a given name first, those with the largest effects before others.
 *
 * @param {Direction[]} directions
 */
export const strongestFirst = (directions) =>
  [...directions].sort(
    (a, b) => Number(b.source !== "none") - Number(a.source !== "none") || b.effect - a.effect,
  );

/**
 * Return the face at a place of the plane.
 *
 * Near the middle, x and y are steps along the two directions. Beyond three steps these turn back,
 * and two others begin to change.
 *
 * @param {Face} face the one in the middle
 * @param {Direction[]} directions
 * @param {{ x: string, y: string }} axes ids of two directions
 * @param {{ x: number, y: number }} place
 */
export function faceAt(face, directions, axes, place) {
  const others = directions.filter(({ id }) => id !== axes.x && id !== axes.y);
  /** @type {Record<string, number>} */
  const steps = {};
  const add = (/** @type {string | undefined} */ id, /** @type {number} */ step) => {
    const direction = directions.find((one) => one.id === id);
    if (!direction) return;
    const before = steps[direction.id] ?? face.moves[direction.id] ?? 0;
    const after = Math.min(MAX_STEP, Math.max(-MAX_STEP, before + direction.sign * step));
    steps[direction.id] = Number(after.toFixed(2));
  };
  add(axes.x, fold(place.x));
  add(axes.y, fold(place.y));
  add(others[0]?.id, wander(place.x, PERIODS[0]));
  add(others[1]?.id, wander(place.y, PERIODS[1]));
  return withMoves(face, steps);
}

/**
 * Return a value that follows `x` up to the range, then goes back, and so on.
 *
 * @param {number} x
 */
export const fold = (x) => RANGE - Math.abs(phaseOf(x) - 2 * RANGE);

/**
 * Return true where `fold` goes back while `x` grows.
 *
 * @param {number} x
 */
export const isTurned = (x) => phaseOf(x) >= 2 * RANGE;

/** @param {number} x */
function phaseOf(x) {
  const period = 4 * RANGE;
  return (((x + RANGE) % period) + period) % period;
}

/**
 * @param {number} x
 * @param {number} period
 */
function wander(x, period) {
  const far = Math.min(1, Math.max(0, (Math.abs(x) - RANGE) / (2 * RANGE)));
  return WANDER * far * Math.sin((2 * Math.PI * x) / period);
}
