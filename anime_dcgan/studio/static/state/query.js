// @ts-check
/** Readable query strings. */

/** @import { ParamValues } from "./types.d.ts" */

/**
 * Return the query string of all parameters that have a value.
 *
 * @param {ParamValues} params
 */
export function toQueryString(params) {
  const present = Object.entries(params).filter(
    ([, value]) => value != null && value !== "" && value !== false,
  );
  const entries = present.map(([name, value]) => [name, String(value)]);
  return unescapeQuery(new URLSearchParams(entries).toString());
}

/**
 * Return the query without escapes of characters that have no special meaning inside a value.
 *
 * @param {string} query
 */
export function unescapeQuery(query) {
  return query.replace(/%(2F|3A|2C|3D)/g, decodeURIComponent);
}
