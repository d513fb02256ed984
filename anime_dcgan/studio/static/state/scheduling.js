// @ts-check
/** Limits on how often a function is called. */

/**
 * Return a function that sends requests one at a time. Requests made while one is in flight replace
 * each other, and the last one is always sent.
 *
 * @template Request, Answer
 * @param {(request: Request) => Answer | Promise<Answer>} send
 * @param {(answer: Answer) => void} show
 * @param {(error: unknown) => void} fail
 */
export function latestOnly(send, show, fail) {
  /** @type {{ request: Request } | null} */
  let pending = null;
  let busy = false;
  async function work() {
    busy = true;
    while (pending) {
      const { request } = pending;
      pending = null;
      try {
        show(await send(request));
      } catch (error) {
        fail(error);
      }
    }
    busy = false;
  }
  return (/** @type {Request} */ request) => {
    pending = { request };
    if (!busy) work();
  };
}

/**
 * Return a function that calls `act` once no call has been made for `milliseconds`. Its method
 * `flush` calls `act` at once if a call is due, and `cancel` drops that call.
 *
 * @template {unknown[]} Arguments
 * @param {(...args: Arguments) => unknown} act called without arguments unless flushed
 * @param {number} milliseconds
 */
export function debounced(act, milliseconds) {
  /** @type {ReturnType<typeof setTimeout> | null} */
  let timer = null;
  const cancel = () => {
    clearTimeout(timer ?? undefined);
    timer = null;
  };
  const flush = (/** @type {Arguments} */ ...args) => {
    if (timer === null) return;
    cancel();
    act(...args);
  };
  const call = () => {
    clearTimeout(timer ?? undefined);
    timer = setTimeout(flush, milliseconds);
  };
  return Object.assign(call, { flush, cancel });
}
