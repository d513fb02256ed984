// @ts-check
/** Errors of requests, with messages that can be shown to the user. */

/** The server rejected a request. */
export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {number} status HTTP status
   */
  constructor(message, status) {
    super(message);
    this.name = "RequestError";
    this.status = status;
  }
}

/** The server did not respond. */
export class OfflineError extends Error {
  constructor() {
    super("The server is not responding.");
    this.name = "OfflineError";
  }
}

/**
 * Return true if the server has too much to do, and may answer the same request later.
 *
 * @param {unknown} error
 */
export const isBusy = (error) => error instanceof RequestError && error.status === 503;

/**
 * Return true if a request was cancelled by the page itself.
 *
 * @param {unknown} error
 */
export function isAbort(error) {
  return error instanceof Error && error.name === "AbortError";
}
