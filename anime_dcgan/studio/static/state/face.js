/**
 * A face as a plain value, and the words that stand for it in links.
 *
 * @typedef {object} Face
 * @property {string} run
 * @property {string} epoch
 * @property {"ema"|"raw"} weights
 * @property {number|null} seed
 * @property {string|null} latent
 * @property {number} truncation
 * @property {Object<string, number>} moves
 */

export const LAST_SEED = 2 ** 32 - 1;

/** The run, epoch and weights that draw a face. */
export function generatorOf({ run, epoch, weights }) {
  return { run, epoch, weights: weights ?? "ema" };
}

/** @returns {Face} the face of a seed, drawn by the generator that `words` names. */
export function faceOfSeed(words, seed) {
  const truncation = Number(words.truncation ?? 1);
  return { ...generatorOf(words), seed: seed % (LAST_SEED + 1), latent: null, truncation, moves: {} };
}

const queries = new WeakMap();

/** The same face always gives the same query. Faces are values: none is changed once it is made. */
export function toQuery(face) {
  if (!queries.has(face)) queries.set(face, written(face));
  return queries.get(face);
}

function written(face) {
  const words = new URLSearchParams(generatorOf(face));
  if (face.latent == null) words.set("seed", face.seed);
  else words.set("latent", face.latent);
  if (face.truncation !== 1) words.set("truncation", face.truncation);
  const moves = movesToText(face.moves);
  if (moves) words.set("moves", moves);
  return readable(words.toString());
}

/** A query with those signs as themselves that mean nothing in the value of a query. */
export function readable(text) {
  return text.replace(/%(2F|3A|2C|3D)/g, decodeURIComponent);
}

/** @returns {Face} of a query, or of the words of a link. */
export function fromQuery(query) {
  const words = typeof query === "string" ? Object.fromEntries(new URLSearchParams(query)) : query;
  return {
    ...generatorOf(words),
    seed: words.latent == null ? Number(words.seed ?? 0) : null,
    latent: words.latent ?? null,
    truncation: Number(words.truncation ?? 1),
    moves: movesFromText(words.moves ?? ""),
  };
}

/** Steps along directions as text; those of no length are left out. */
export function movesToText(moves) {
  return Object.entries(moves ?? {})
    .filter(([, step]) => step !== 0)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([direction, step]) => `${direction}:${step}`)
    .join(",");
}

function movesFromText(text) {
  const pairs = text.split(",").filter(Boolean).map((part) => part.split(":"));
  return Object.fromEntries(pairs.map(([direction, step]) => [direction, Number(step)]));
}

/** The address of its picture. */
export function pictureOf(face, scale = 1, download = false) {
  const words = `${toQuery(face)}${scale === 1 ? "" : `&scale=${scale}`}`;
  return `/api/face.png?${words}${download ? "&download=true" : ""}`;
}

/** A short name for people: its seed, or how far it was moved. */
export function nameOf(face) {
  const moved = Object.keys(face.moves ?? {}).length ? ", edited" : "";
  return (face.latent == null ? `seed ${face.seed}` : "made face") + moved;
}

/** Any seed, evenly. */
export function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}
