/** The next wall at random, drawn while nobody waits, so that it is there at once. */

import { getPicture } from "./api.js";
import { randomSeed } from "./face.js";

const next = { key: "", seed: null };

/** The seed of a wall that was drawn ahead for `key`, else of any. */
export function takeNext(key) {
  const { seed } = next.key === key ? next : { seed: null };
  next.seed = null;
  return seed ?? wallSeed();
}

/**
 * Have the server draw the pictures of another wall, one after the other; it keeps them.
 * `pictures(seed)` gives their addresses.
 */
export async function drawAhead(key, pictures, signal) {
  if (next.key === key && next.seed !== null) return;
  const seed = wallSeed();
  for (const picture of pictures(seed)) await getPicture(picture, signal);
  Object.assign(next, { key, seed });
}

/** The server draws sixteen neighbours together: a wall begins with the first of them. */
function wallSeed() {
  const seed = randomSeed();
  return seed - (seed % 16);
}
