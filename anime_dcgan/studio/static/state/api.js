// @ts-check
/** Requests to the server. */

import { OfflineError, RequestError, isAbort } from "./errors.js";
import { generatorOf, toQuery } from "./face.js";
import { toQueryString } from "./query.js";
import { capitalised } from "./text.js";

/**
 * @import {
 *   BreedRequest, Collection, Direction, Face, Family, FilmRequest, Generator, GeneratorParams, Job,
 *   ParamValues, Part, Run, RunDetails, SavedFace, SaveRequest, Styles, Variation, ZipRequest,
 * } from "./types.d.ts"
 */

/**
 * @typedef {object} RequestOptions
 * @property {unknown} [body] JSON or FormData
 * @property {AbortSignal} [signal]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [keepalive] finish the request even if the page is closed
 */

const RETRY_SECONDS = 2;

/** @type {Set<(connected: boolean) => void>} */
const listeners = new Set();
let connected = true;

/**
 * Call `listener(connected)` whenever the connection is lost or restored.
 *
 * @param {(connected: boolean) => void} listener
 */
export function onConnection(listener) {
  listeners.add(listener);
}

/** @param {boolean} isConnected */
function setConnected(isConnected) {
  if (isConnected === connected) return;
  connected = isConnected;
  for (const listener of listeners) listener(connected);
  if (!connected) setTimeout(reconnect, RETRY_SECONDS * 1000);
}

async function reconnect() {
  const response = await fetch("/api/state").catch(() => null);
  if (response?.ok) setConnected(true);
  else setTimeout(reconnect, RETRY_SECONDS * 1000);
}

/**
 * Return the response. Throws `RequestError`, `OfflineError`, or the error of an abort.
 *
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} [options]
 */
async function send(method, path, { body, signal, headers = {}, keepalive = false } = {}) {
  /** @type {RequestInit & { headers: Record<string, string> }} */
  const init = { method, signal, keepalive, headers: { ...headers } };
  if (method !== "GET") init.headers["X-Studio"] = "1";
  if (body instanceof FormData) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, init).catch(failOffline);
  setConnected(true);
  if (response.ok || response.status === 304) return response;
  throw await requestError(response);
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function failOffline(error) {
  if (isAbort(error)) throw error;
  setConnected(false);
  throw new OfflineError();
}

/** @param {Response} response */
async function requestError(response) {
  const content = await response.json().catch(() => ({}));
  const detail = typeof content.detail === "string" ? content.detail : response.statusText;
  return new RequestError(
    capitalised(detail) || "The server rejected the request.",
    response.status,
  );
}

/**
 * Return the JSON of the response, or null if it has no content.
 *
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} [options]
 */
async function json(method, path, options) {
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
const get = (path, signal) => json("GET", path, { signal });

/**
 * @param {string} path
 * @param {unknown} body
 * @param {RequestOptions} [options]
 */
const post = (path, body, options) => json("POST", path, { body, ...options });

/** @returns {Promise<{ mp4: boolean, upscaler: string | null, unsaved: string | null }>} */
export const getServerState = () => get("/api/state");

/**
 * @param {string} run
 * @returns {Promise<RunDetails>}
 */
export const getRun = (run) => get(`/api/run?${toQueryString({ run })}`);

/**
 * Return the runs, or null if nothing has changed since `etag`.
 *
 * @param {string | null} etag
 * @returns {Promise<{ runs: Run[], etag: string | null } | null>}
 */
export async function getRuns(etag) {
  const headers = etag ? { "If-None-Match": etag } : undefined;
  const response = await send("GET", "/api/runs", { headers });
  if (response.status === 304) return null;
  return { ...(await response.json()), etag: response.headers.get("ETag") };
}

/**
 * Return the URL of a sheet of the faces of `count` consecutive seeds, without padding.
 *
 * @param {GeneratorParams} params
 * @param {number | string} seed
 * @param {number} count
 * @param {number} columns
 */
export function wallUrl(params, seed, count, columns) {
  const truncation = Number(params.truncation ?? 1) === 1 ? null : params.truncation;
  const { label } = params;
  const values = { ...generatorOf(params), truncation, label, seed, count, columns };
  return `/api/wall.png?${toQueryString(values)}`;
}

/**
 * Return the URL of the first faces of a run.
 *
 * @param {string} run
 * @param {string} epoch
 */
export const previewUrl = (run, epoch) => `/api/run/preview.png?${toQueryString({ run, epoch })}`;

/**
 * Return a picture as a blob. An <img> with the URL would hide errors.
 *
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @param {Record<string, string>} [headers]
 */
export async function getPicture(path, signal, headers) {
  return (await send("GET", path, { signal, headers })).blob();
}

/**
 * Return a picture, and the generator that drew it.
 *
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ blob: Blob, generator: { digest: string, epoch: string } | null }>}
 */
export async function getDrawing(path, signal) {
  const response = await send("GET", path, { signal });
  const [digest, epoch] = ["X-Digest", "X-Epoch"].map((name) => response.headers.get(name));
  return { blob: await response.blob(), generator: digest && epoch ? { digest, epoch } : null };
}

/**
 * Return a generator with the hash of its weights and the number of its epoch, and whether it can
 * still draw.
 *
 * @param {GeneratorParams} generator
 * @param {AbortSignal} [signal]
 * @returns {Promise<Generator & { drawable: boolean }>}
 */
export const getGenerator = (generator, signal) =>
  get(`/api/generator?${toQueryString({ ...generatorOf(generator) })}`, signal);

/**
 * Return a sheet of any faces, without padding, as a blob.
 *
 * @param {Face[]} faces
 * @param {number} columns
 * @param {AbortSignal} [signal]
 */
export async function getSheet(faces, columns, signal) {
  const body = { faces, columns, scale: 1, padding: 0 };
  return (await send("POST", "/api/sheet.png", { body, signal })).blob();
}

/**
 * @param {Face[]} parents
 * @param {number} steps
 * @param {string | null} layers style layers to be mixed; null mixes all
 * @returns {Promise<{ faces: Face[] }>}
 */
export const mix = (parents, steps, layers) => post("/api/mix", { parents, steps, layers });

/**
 * @param {Face[]} parents
 * @param {number[]} shares
 * @param {string | null} layers
 * @returns {Promise<{ face: Face }>}
 */
export const blend = (parents, shares, layers) => post("/api/blend", { parents, shares, layers });

/**
 * @param {BreedRequest} request
 * @returns {Promise<{ faces: Face[] }>}
 */
export const breed = (request) => post("/api/breed", request);

/**
 * Return the number of style layers, ranges of coarse, middle and fine ones, and the labels.
 *
 * @param {GeneratorParams} generator
 * @param {AbortSignal} signal
 * @returns {Promise<Styles>}
 */
export const getStyles = (generator, signal) =>
  get(`/api/styles?${toQueryString({ ...generatorOf(generator) })}`, signal);

/**
 * Return whether colours and shapes of a generator can be varied apart; if not, the studio begins to
 * find out.
 *
 * @param {GeneratorParams} generator
 * @param {AbortSignal} signal
 * @returns {Promise<{ ready: boolean, progress: number }>}
 */
export const getParts = (generator, signal) =>
  get(`/api/parts?${toQueryString({ ...generatorOf(generator) })}`, signal);

/**
 * @param {{ face: Face, part: Part, count: number, seed: number }} request
 * @param {AbortSignal} signal
 * @returns {Promise<{ variations: Variation[] }>}
 */
export const getVariations = (request, signal) => post("/api/variations", request, { signal });

/**
 * @param {Generator} generator
 * @param {string} method "sefa" or "pca"
 * @param {number} count
 * @param {AbortSignal} signal
 * @returns {Promise<{ directions: Direction[], range: number }>}
 */
export const getDirections = (generator, method, count, signal) =>
  get(`/api/directions?${toQueryString({ ...generatorOf(generator), method, count })}`, signal);

/**
 * @param {Generator} generator
 * @param {string} id
 * @param {string | null} name null removes the name
 */
export const nameDirection = (generator, id, name) =>
  json("PUT", "/api/directions/name", { body: { ...generatorOf(generator), id, name } });

/**
 * @param {FilmRequest} request
 * @returns {Promise<Job>}
 */
export const createFilm = (request) => post("/api/jobs/film", request);

/**
 * @param {{ faces: Face[] } | ZipRequest} request
 * @returns {Promise<Job>}
 */
export const createZip = (request) => post("/api/jobs/zip", request);

/**
 * @param {FormData} form
 * @returns {Promise<Job>}
 */
export const startProjection = (form) => post("/api/jobs/projection", form);

/**
 * @param {string} id
 * @returns {Promise<Job>}
 */
export const getJob = (id) => get(`/api/jobs/${encodeURIComponent(id)}`);

/** @param {string} id */
export const cancelJob = (id) => json("DELETE", `/api/jobs/${encodeURIComponent(id)}`);

/** @param {string} id */
export const projectionTargetUrl = (id) => `/api/jobs/${encodeURIComponent(id)}/target.png`;

/**
 * @param {ParamValues} filter
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ saved: SavedFace[], more: boolean }>}
 */
export const listSaved = (filter, signal) => get(`/api/saved?${toQueryString(filter)}`, signal);

/**
 * @param {SaveRequest} request
 * @param {RequestOptions} [options]
 * @returns {Promise<SavedFace>}
 */
export const saveFace = (request, options) => post("/api/saved", request, options);

/**
 * @param {number} id
 * @param {{ story?: string, favourite?: boolean }} changes
 * @param {RequestOptions} [options]
 * @returns {Promise<SavedFace>}
 */
export const updateSaved = (id, changes, options) =>
  json("PATCH", `/api/saved/${id}`, { body: changes, ...options });

/**
 * Remove saved faces; for a while they can be restored.
 *
 * @param {number[]} ids
 * @returns {Promise<{ count: number }>}
 */
export const forgetSaved = (ids) => post("/api/saved/forget", { ids });

/**
 * @param {number[]} ids
 * @returns {Promise<{ count: number }>}
 */
export const restoreSaved = (ids) => post("/api/saved/restore", { ids });

/**
 * Return the saved record of a face, or null.
 *
 * @param {Face} face
 * @param {AbortSignal} [signal]
 * @returns {Promise<SavedFace | null>}
 */
export const findSaved = (face, signal) => get(`/api/saved/find?${toQuery(face)}`, signal);

/** @param {number} id */
export const thumbnailUrl = (id) => `/api/saved/${id}/thumb.png`;

/**
 * @param {number} id
 * @returns {Promise<Family>}
 */
export const getFamily = (id) => get(`/api/saved/${id}/family`);

/** @returns {Promise<{ collections: Collection[] }>} */
export const listCollections = () => get("/api/collections");

/**
 * @param {string} name
 * @returns {Promise<Collection>}
 */
export const createCollection = (name) => post("/api/collections", { name });

/**
 * @param {number} id
 * @param {string} name
 * @returns {Promise<Collection>}
 */
export const renameCollection = (id, name) =>
  json("PATCH", `/api/collections/${id}`, { body: { name } });

/** @param {number} id */
export const deleteCollection = (id) => json("DELETE", `/api/collections/${id}`);

/**
 * @param {number} id
 * @param {number} saved id of the saved face
 */
export const addToCollection = (id, saved) => json("PUT", `/api/collections/${id}/faces/${saved}`);

/**
 * @param {number} id
 * @param {number} saved id of the saved face
 */
export const removeFromCollection = (id, saved) =>
  json("DELETE", `/api/collections/${id}/faces/${saved}`);

/**
 * @param {number} id
 * @param {boolean} [withGenerators]
 */
export const exportUrl = (id, withGenerators = false) =>
  `/api/collections/${id}/export${withGenerators ? "?generators=true" : ""}`;

/**
 * @param {FormData} form
 * @returns {Promise<{ collection: Collection, added: number, existing: number }>}
 */
export const importCollection = (form) => post("/api/collections/import", form);
