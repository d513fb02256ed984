// @ts-check
/** The interface of the server. */

import { generatorOf, toQuery } from "./face.js";
import { get, json, post, send } from "./http.js";
import { toQueryString } from "./query.js";

/** @import { RequestOptions } from "./http.js" */
/**
 * @import {
 *   BreedRequest, Collection, Directions, Face, Family, FilmRequest, Generator, GeneratorParams, Job,
 *   ParamValues, Part, Run, RunDetails, SavedFace, SaveRequest, Styles, Variation, ZipRequest,
 * } from "./types.d.ts"
 */

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
 * Return a sheet of faces of one generator, drawn together after all urgent work.
 *
 * @param {Face[]} faces
 * @param {number} columns
 * @param {AbortSignal} [signal]
 */
export async function getSketches(faces, columns, signal) {
  const body = { faces, columns, scale: 1, padding: 0, fast: true };
  const headers = { Priority: "u=6" };
  return (await send("POST", "/api/sheet.png", { body, signal, headers })).blob();
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
 * Return the strongest directions of a generator, with what they change if these layers move.
 *
 * @param {Generator} generator
 * @param {{ method: string, count: number, layers?: string }} request
 * @param {AbortSignal} signal
 * @returns {Promise<Directions>}
 */
export const getDirections = (generator, request, signal) =>
  get(`/api/directions?${toQueryString({ ...generatorOf(generator), ...request })}`, signal);

/**
 * Name the side of a direction to which steps of this sign lead.
 *
 * @param {Generator} generator
 * @param {string} id
 * @param {string | null} name null gives it its measured name again
 * @param {number} sign
 */
export const nameDirection = (generator, id, name, sign) =>
  json("PUT", "/api/directions/name", { body: { ...generatorOf(generator), id, name, sign } });

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
