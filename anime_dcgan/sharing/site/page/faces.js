// @ts-check
/** Faces as values: in links, between others, and as children of others. */

const MAX_SEED = 2 ** 32 - 1;
const MAX_STEP = 10;
/** Fraction of noise in the variance of a child's latent. */
const VARIATION = 0.15;

const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

/**
 * @param {number} seed
 * @param {Partial<Face>} [settings]
 * @returns {Face}
 */
function faceOfSeed(seed, { truncation = 1, moves = {}, label = SITE.labels[0] ?? null } = {}) {
  return { seed: seed % (MAX_SEED + 1), truncation, moves, label };
}

/** @param {Face} face */
function toHash({ seed, latent, truncation, moves, label }) {
  const query = new URLSearchParams();
  if (latent) query.set("latent", encodeLatent(latent));
  else query.set("seed", String(seed));
  if (truncation !== 1) query.set("truncation", String(truncation));
  const steps = Object.entries(moves).filter(([, step]) => step);
  if (steps.length) query.set("moves", steps.map(([id, step]) => `${id}:${step}`).join(","));
  if (label !== null) query.set("label", label);
  return `#${query}`.replaceAll("%3A", ":").replaceAll("%2C", ",");
}

/**
 * Return the face of a link; null if it names none.
 *
 * @param {string} hash
 * @returns {Face | null}
 */
function fromHash(hash) {
  const query = new URLSearchParams(hash.slice(1));
  const label = SITE.labels.find((name) => name === query.get("label"));
  const face = faceOfSeed(0, { truncation: readTruncation(query.get("truncation")), label });
  for (const part of (query.get("moves") ?? "").split(",")) {
    const [id, step] = part.split(":");
    const isKnown = SITE.directions.some((direction) => direction.id === id);
    if (isKnown && Math.abs(Number(step)) <= MAX_STEP) face.moves[id] = Number(step);
  }
  const seed = query.get("seed");
  if (seed !== null && /^\d{1,10}$/.test(seed) && Number(seed) <= MAX_SEED)
    return { ...face, seed: Number(seed) };
  const latent = decodeLatent(query.get("latent") ?? "");
  return latent && { ...face, seed: undefined, latent };
}

/** @param {string | null} text */
function readTruncation(text) {
  const value = Number(text ?? 1);
  return value >= 0 && value <= 1 ? value : 1;
}

/** @param {Float32Array} latent little-endian, as everywhere where browsers run */
function encodeLatent(latent) {
  const text = btoa(String.fromCharCode(...new Uint8Array(latent.buffer)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {string} text */
function decodeLatent(text) {
  try {
    const bytes = decode(text.replaceAll("-", "+").replaceAll("_", "/"));
    if (bytes.length !== 4 * SITE.latentDim) return null;
    const latent = new Float32Array(bytes.buffer);
    return latent.every(Number.isFinite) ? latent : null;
  } catch {
    return null;
  }
}

/** @param {Face} face */
function describe({ seed, latent, moves, label }) {
  const name = latent ? "a child" : `face ${seed}`;
  const edited = Object.values(moves).some(Boolean) ? ", edited" : "";
  return `${name}${label === null ? "" : `, ${label}`}${edited}`;
}

/** @param {Face} face */
function fileName({ seed, latent }) {
  return latent
    ? `child-${encodeLatent(latent).slice(0, 8)}`
    : `seed=${String(seed).padStart(6, "0")}`;
}

/**
 * Return the face at a fraction of the way between two, on a great circle.
 *
 * @param {Face} a
 * @param {Face} b
 * @param {number} fraction
 * @returns {Face}
 */
function between(a, b, fraction) {
  if (fraction <= 0) return a;
  if (fraction >= 1) return b;
  const [start, end] = [valuesOf(a, SITE), valuesOf(b, SITE)];
  return {
    latent: slerp(start.latent, end.latent, fraction),
    noise: slerp(start.noise, end.noise, fraction),
    ...mixSettings(a, b, fraction),
  };
}

/**
 * Interpolate on a great circle, or on a straight line where there is none.
 *
 * @param {Float32Array} from
 * @param {Float32Array} to
 * @param {number} fraction
 */
function slerp(from, to, fraction) {
  const cosine = dot(from, to) / Math.sqrt(dot(from, from) * dot(to, to));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const isStraight = !(Math.sin(angle) > 1e-4);
  const [start, end] = [1 - fraction, fraction].map((part) =>
    isStraight ? part : Math.sin(part * angle) / Math.sin(angle),
  );
  return from.map((value, index) => start * value + end * to[index]);
}

/**
 * Return a random blend of two faces, with a little noise.
 *
 * @param {Face} a
 * @param {Face} b
 * @returns {Face}
 */
function childOf(a, b) {
  const random = new MersenneTwister(randomSeed());
  const fraction = 0.15 + 0.7 * random.uniform();
  const blend = valuesOf(between(a, b, fraction), SITE).latent;
  const noise = randn(random, SITE.latentDim);
  const latent = blend.map(
    (value, index) => Math.sqrt(1 - VARIATION) * value + Math.sqrt(VARIATION) * noise[index],
  );
  return { latent, ...mixSettings(a, b, fraction) };
}

/**
 * @param {Face} a
 * @param {Face} b
 * @param {number} fraction
 */
function mixSettings(a, b, fraction) {
  const mix = (/** @type {number} */ x, /** @type {number} */ y) => {
    return Number((x + fraction * (y - x)).toFixed(2));
  };
  const ids = new Set([...Object.keys(a.moves), ...Object.keys(b.moves)]);
  const moves = Object.fromEntries(
    [...ids].map((id) => [id, mix(a.moves[id] ?? 0, b.moves[id] ?? 0)]),
  );
  const label = fraction < 0.5 ? a.label : b.label;
  return { truncation: mix(a.truncation, b.truncation), moves, label };
}

/**
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
