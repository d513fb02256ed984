/** The newest wish, and no queue of older ones. */

/**
 * A function that asks for its newest argument: one request at a time, those in between are
 * skipped, and the last is always answered.
 *
 * @param {(wish: any) => Promise<any>} ask
 * @param {(answer: any, wish: any) => void} show
 * @param {(error: Error) => void} fail
 */
export function latestOnly(ask, show, fail) {
  let waiting = null;
  let busy = false;
  async function work() {
    busy = true;
    while (waiting) {
      const { wish } = waiting;
      waiting = null;
      try {
        const answer = await ask(wish);
        show(answer, wish);
      } catch (error) {
        fail(error);
      }
    }
    busy = false;
  }
  return (wish) => {
    waiting = { wish };
    if (!busy) work();
  };
}

/** Call it once the calls have rested for a while; `now()` calls it at once if it is due. */
export function debounced(act, milliseconds) {
  let timer = null;
  const now = (...how) => {
    if (timer === null) return undefined;
    clearTimeout(timer);
    timer = null;
    return act(...how);
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(now, milliseconds);
  };
  return Object.assign(later, { now });
}
