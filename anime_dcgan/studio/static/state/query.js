// @ts-check
/** Query strings that people can read. */

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
 * Return the query with the characters unescaped that have no meaning inside a value.
 *
 * @param {string} query
 */
export function unescapeQuery(query) {
  return query.replace(/%(2F|3A|2C|3D)/g, decodeURIComponent);
}
