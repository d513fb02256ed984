// @ts-check
/** Faces as plain values, and the queries that represent them in links. */

import { unescapeQuery } from "./query.js";

/** @import { Face, Generator, GeneratorParams, Params } from "./types.d.ts" */

export const MAX_SEED = 2 ** 32 - 1;
/** Maximum number of faces that can be mixed at once. */
export const MAX_PARENTS = 8;
/** Prefix of latents among the parents of style layers. */
const LATENT = "latent.";

/**
 * Return the run, epoch and weights that render a face, and their hash if it is known.
 *
 * @param {GeneratorParams} params
 * @returns {Generator}
 */
export function generatorOf({ run = "", epoch = "", weights, digest }) {
  return { run, epoch, weights: weights === "raw" ? "raw" : "ema", digest: digest || null };
}

/**
 * Return true if two faces or generators have the same weights.
 *
 * @param {Generator} a
 * @param {Generator} b
 */
export function haveSameGenerator(a, b) {
  if (a.digest && b.digest) return a.digest === b.digest;
  return a.run === b.run && a.epoch === b.epoch && a.weights === b.weights;
}

/**
 * Return the face of a seed.
 *
 * @param {GeneratorParams} params
 * @param {number} seed
 * @returns {Face}
 */
export function faceFromSeed(params, seed) {
  return {
    ...generatorOf(params),
    seed: seed % (MAX_SEED + 1),
    latent: null,
    truncation: Number(params.truncation ?? 1),
    moves: {},
    mix: {},
    label: params.label || null,
  };
}

/** @type {WeakMap<Face, string>} */
const queries = new WeakMap();
/** @type {WeakMap<Face, string>} */
const keys = new WeakMap();
/** Parameters that only name a generator whose hash is known. */
const NAMES = ["run", "epoch", "weights"];

/**
 * Return the query of a face; equal faces have equal queries. Faces must not be modified.
 *
 * @param {Face} face
 */
export function toQuery(face) {
  const query = queries.get(face) ?? writeQuery(face);
  queries.set(face, query);
  return query;
}

/**
 * Return text that is equal for equal faces, whatever the run and epoch of their generator are.
 *
 * @param {Face} face
 */
export function keyOf(face) {
  const key = keys.get(face) ?? writeKey(face);
  keys.set(face, key);
  return key;
}

/** @param {Face} face */
function writeKey(face) {
  if (!face.digest) return toQuery(face);
  const params = new URLSearchParams(toQuery(face));
  for (const name of NAMES) params.delete(name);
  return unescapeQuery(params.toString());
}

/**
 * Return the query of a face without its generator.
 *
 * @param {Face} face
 */
export function featuresOf(face) {
  const params = new URLSearchParams(writeKey(face));
  for (const name of [...NAMES, "digest"]) params.delete(name);
  return params.toString();
}

/** @param {Face} face */
function writeQuery(face) {
  const { digest, ...names } = generatorOf(face);
  const params = new URLSearchParams(Object.entries(names));
  if (digest) params.set("digest", digest);
  if (face.latent == null) params.set("seed", String(face.seed));
  else params.set("latent", face.latent);
  if (face.truncation !== 1) params.set("truncation", String(face.truncation));
  const moves = movesToText(face.moves);
  if (moves) params.set("moves", moves);
  const mix = mixToText(face.mix);
  if (mix) params.set("mix", mix);
  if (face.label != null) params.set("label", face.label);
  return unescapeQuery(params.toString());
}

/**
 * Return the face of a query, or of the parameters of an address.
 *
 * @param {string | Params} query
 * @returns {Face}
 */
export function fromQuery(query) {
  /** @type {Params} */
  const params = typeof query === "string" ? Object.fromEntries(new URLSearchParams(query)) : query;
  return {
    ...generatorOf(params),
    seed: params.latent == null ? Number(params.seed ?? 0) : null,
    latent: params.latent ?? null,
    truncation: Number(params.truncation ?? 1),
    moves: movesFromText(params.moves ?? ""),
    mix: mixFromText(params.mix ?? ""),
    label: params.label || null,
  };
}

/**
 * Return the face with these steps; those of length 0 are omitted.
 *
 * @param {Face} face
 * @param {Record<string, number>} steps
 * @returns {Face}
 */
export function withMoves(face, steps) {
  const moves = Object.entries({ ...face.moves, ...steps }).filter(([, step]) => step !== 0);
  return { ...face, moves: Object.fromEntries(moves) };
}

/** @param {Record<string, number>} moves */
function movesToText(moves) {
  return Object.entries(moves)
    .filter(([, step]) => step !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([direction, step]) => `${direction}:${step}`)
    .join(",");
}

/** @param {string} text */
function movesFromText(text) {
  const pairs = text
    .split(",")
    .filter(Boolean)
    .map((move) => move.split(":"));
  return Object.fromEntries(pairs.map(([direction, step]) => [direction, Number(step)]));
}

/** @param {Face["mix"]} mix */
function mixToText(mix) {
  return Object.entries(mix)
    .sort(([a], [b]) => parseInt(a) - parseInt(b))
    .map(([layers, parent]) => `${layers}:${typeof parent === "number" ? "" : LATENT}${parent}`)
    .join(",");
}

/** @param {string} text */
function mixFromText(text) {
  const pairs = text
    .split(",")
    .filter(Boolean)
    .map((one) => one.split(":"))
    .map(([layers, parent = ""]) => [
      layers,
      parent.startsWith(LATENT) ? parent.slice(LATENT.length) : Number(parent),
    ]);
  return Object.fromEntries(pairs);
}

/**
 * Return the URL of the picture of a face.
 *
 * @param {Face} face
 * @param {{ scale?: number, upscale?: number, download?: boolean }} [options] `scale` repeats
 *   pixels, `upscale` enlarges by the server's network
 */
export function pictureUrl(face, { scale = 1, upscale = 1, download = false } = {}) {
  const enlarged = upscale === 1 ? "" : `&upscale=${upscale}`;
  const query = `${toQuery(face)}${scale === 1 ? "" : `&scale=${scale}`}${enlarged}`;
  return `/api/face.png?${query}${download ? "&download=true" : ""}`;
}

/**
 * Return a short description: "seed 5", "custom latent", "seed 5, blue, edited".
 *
 * @param {Face} face
 */
export function describeFace(face) {
  const mixed = Object.keys(face.mix).length ? ", mixed" : "";
  const edited = Object.keys(face.moves).length ? ", edited" : "";
  const label = face.label == null ? "" : `, ${face.label}`;
  return (face.latent == null ? `seed ${face.seed}` : "custom latent") + label + mixed + edited;
}

/** Return a uniformly random seed. */
export function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

/**
 * Return the parameters of the mix and film views for these faces.
 *
 * @param {Face[]} faces
 */
export function parentParams(faces) {
  return { parents: faces.map(toQuery).join(" ") };
}

/**
 * Return the faces given by the parameters of the mix and film views.
 *
 * @param {Params} params
 */
export function parentsFromParams(params) {
  return (params.parents ?? "").split(" ").filter(Boolean).map(fromQuery);
}
