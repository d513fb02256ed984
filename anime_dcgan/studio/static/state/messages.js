// @ts-check
/** Messages to the user; ui/notice.js shows them. */

import { OfflineError, RequestError, isAbort } from "./errors.js";

/**
 * @typedef {object} Message
 * @property {string} text
 * @property {boolean} isError
 * @property {{ text: string, run: () => void } | null} action offered as a button
 * @property {number} seconds for which the message is shown
 */

const SECONDS = 7;

/** @type {(message: Message) => void} */
let showMessage = () => {};
/** @type {(text: string) => void} */
let showAnnouncement = () => {};

/**
 * Set the functions that show messages.
 *
 * @param {(message: Message) => void} show
 * @param {(text: string) => void} announce
 */
export function onMessage(show, announce) {
  showMessage = show;
  showAnnouncement = announce;
}

/**
 * Show a short message.
 *
 * @param {string} text
 * @param {Partial<Omit<Message, "text">>} [options]
 */
export function notify(text, { isError = false, action = null, seconds = SECONDS } = {}) {
  showMessage({ text, isError, action, seconds });
}

/**
 * Show an error, unless it is a cancelled request or a lost connection, which has its own banner.
 *
 * @param {unknown} error
 */
export function notifyError(error) {
  if (isAbort(error) || error instanceof OfflineError) return;
  notify(error instanceof Error ? error.message : String(error), { isError: true });
  if (!(error instanceof RequestError)) console.error(error);
}

/**
 * Announce progress and results to screen readers, without interrupting them.
 *
 * @param {string} text
 */
export function announce(text) {
  showAnnouncement(text);
}
