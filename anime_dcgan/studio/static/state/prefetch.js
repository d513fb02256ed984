// @ts-check
/** Prefetching of the next random wall, so that it appears at once. */

import { getPicture } from "./api.js";
import { randomSeed } from "./face.js";

/** Number of seeds that the server renders in one batch; a wall starts at the first of a batch. */
const BATCH = 16;

/** @type {{ key: string, seed: number | null }} */
const prefetched = { key: "", seed: null };

/**
 * Return the seed of the wall that was prefetched for `key`, or else a random one.
 *
 * @param {string} key
 */
export function takePrefetchedSeed(key) {
  const seed = prefetched.key === key ? prefetched.seed : null;
  prefetched.seed = null;
  return seed ?? randomWallSeed();
}

/**
 * Request the pictures of another wall, one after the other; the server caches them.
 *
 * @param {string} key everything that the wall depends on except its seed
 * @param {(seed: number) => string[]} urls
 * @param {AbortSignal} signal
 */
export async function prefetchWall(key, urls, signal) {
  if (prefetched.key === key && prefetched.seed !== null) return;
  const seed = randomWallSeed();
  const headers = { Priority: "u=6" }; // after the faces that somebody waits for
  for (const url of urls(seed)) await getPicture(url, signal, headers);
  Object.assign(prefetched, { key, seed });
}

/** Return a random seed at which a wall can start. */
export function randomWallSeed() {
  const seed = randomSeed();
  return seed - (seed % BATCH);
}
