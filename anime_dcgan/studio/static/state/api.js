/** What the server is asked, and what becomes of its refusals. */

import { generatorOf, readable, toQuery } from "./face.js";

const RETRY_SECONDS = 2;
const listeners = new Set();
let connected = true;

/** Call `listener(connected)` whenever the server is lost or found again. */
export function onConnection(listener) {
  listeners.add(listener);
}

function setConnected(now) {
  if (now === connected) return;
  connected = now;
  for (const listener of listeners) listener(now);
  if (!now) setTimeout(findAgain, RETRY_SECONDS * 1000);
}

async function findAgain() {
  const answer = await fetch("/api/state").catch(() => null);
  if (answer?.ok) setConnected(true);
  else setTimeout(findAgain, RETRY_SECONDS * 1000);
}

/** The response, or an `Error` whose message is fit to be shown. */
async function send(method, path, { body, signal, headers = {}, keepalive = false } = {}) {
  const options = { method, signal, keepalive, headers: { ...headers } };
  if (method !== "GET") options.headers["X-Studio"] = "1";
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, options).catch(lost);
  setConnected(true);
  if (response.ok || response.status === 304) return response;
  throw await refusal(response);
}

function lost(error) {
  if (error.name === "AbortError") throw error;
  setConnected(false);
  throw Object.assign(new Error("The server does not answer."), { lost: true, told: true });
}

async function refusal(response) {
  const content = await response.json().catch(() => ({}));
  const detail = typeof content.detail === "string" ? content.detail : response.statusText;
  const text = detail.charAt(0).toUpperCase() + detail.slice(1);
  return Object.assign(new Error(text || "The server refused."), { status: response.status });
}

async function json(method, path, options) {
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

const get = (path, signal) => json("GET", path, { signal });
const post = (path, body, options) => json("POST", path, { body, ...options });

/** A query of the words that have a value. */
export function query(words) {
  const given = Object.entries(words).filter(([, value]) => value != null && value !== "" && value !== false);
  return readable(new URLSearchParams(given).toString());
}

export const getState = () => get("/api/state");
export const getRun = (run, signal) => get(`/api/run?${query({ run })}`, signal);

/** The runs, or null if they are those that `etag` stands for. */
export async function getRuns(etag) {
  const headers = etag ? { "If-None-Match": etag } : {};
  const response = await send("GET", "/api/runs", { headers });
  if (response.status === 304) return null;
  return { ...(await response.json()), etag: response.headers.get("ETag") };
}

/** The address of a sheet without padding of the faces of `count` seeds. */
export function wallPicture(words, seed, count, columns) {
  const truncation = Number(words.truncation ?? 1) === 1 ? null : words.truncation;
  return `/api/wall.png?${query({ ...generatorOf(words), truncation, seed, count, columns })}`;
}

/** A picture as a Blob; an error where an address alone would show nothing. */
export async function getPicture(path, signal) {
  return (await send("GET", path, { signal })).blob();
}

/** A sheet of any faces, as a Blob. */
export async function getSheet(faces, columns, { scale = 1, padding = 0, signal } = {}) {
  const body = { faces, columns, scale, padding };
  return (await send("POST", "/api/sheet.png", { body, signal })).blob();
}

export const mix = (parents, steps, signal) => post("/api/mix", { parents, steps }, { signal });
export const blend = (parents, shares, signal) => post("/api/blend", { parents, shares }, { signal });
export const breed = (wish, signal) => post("/api/breed", wish, { signal });

export const getDirections = (generator, method, count, signal) =>
  get(`/api/directions?${query({ ...generatorOf(generator), method, count })}`, signal);
export const nameDirection = (generator, id, name) =>
  json("PUT", "/api/directions/name", { body: { ...generatorOf(generator), id, name } });

export const makeFilm = (wish) => post("/api/jobs/film", wish);
export const makeZip = (wish) => post("/api/jobs/zip", wish);
export const project = (form) => post("/api/jobs/projection", form);
export const getJob = (id) => get(`/api/jobs/${id}`);
export const cancelJob = (id) => json("DELETE", `/api/jobs/${id}`);

export const listKept = (filter, signal) => get(`/api/kept?${query(filter)}`, signal);
export const keep = (wish, options) => post("/api/kept", wish, options);
export const changeKept = (id, body, options) => json("PATCH", `/api/kept/${id}`, { body, ...options });
export const forget = (id) => json("DELETE", `/api/kept/${id}`);
export const getFamily = (id, signal) => get(`/api/kept/${id}/family`, signal);

/** What is kept of a face, or null. */
export async function findKept(face, signal) {
  try {
    return await get(`/api/kept/find?${toQuery(face)}`, signal);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

export const listCollections = () => get("/api/collections");
export const addCollection = (name) => post("/api/collections", { name });
export const renameCollection = (id, name) => json("PATCH", `/api/collections/${id}`, { body: { name } });
export const removeCollection = (id) => json("DELETE", `/api/collections/${id}`);
export const collect = (id, kept) => json("PUT", `/api/collections/${id}/faces/${kept}`);
export const uncollect = (id, kept) => json("DELETE", `/api/collections/${id}/faces/${kept}`);
export const importCollection = (form) => post("/api/collections/import", form);
