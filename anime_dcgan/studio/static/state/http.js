// @ts-check
/** Requests to the server, and whether it answers. */

import { OfflineError, RequestError, isAbort } from "./errors.js";
import { capitalised } from "./text.js";

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
export async function send(method, path, { body, signal, headers = {}, keepalive = false } = {}) {
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
export async function json(method, path, options) {
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

/**
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export const get = (path, signal) => json("GET", path, { signal });

/**
 * @param {string} path
 * @param {unknown} body
 * @param {RequestOptions} [options]
 */
export const post = (path, body, options) => json("POST", path, { body, ...options });
