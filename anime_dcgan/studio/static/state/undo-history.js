/** Steps that can be undone and done again. */

/** A line of states, of which one is shown. `onmove(state)` hears of each move along it. */
export function stepsOf(first, onmove) {
  let states = [first];
  let at = 0;
  const move = (to) => {
    if (to < 0 || to >= states.length) return false;
    at = to;
    onmove(states[at]);
    return true;
  };
  return {
    /** A new step, from which there is nothing to do again. */
    add(state) {
      if (JSON.stringify(state) === JSON.stringify(states[at])) return;
      states = [...states.slice(0, at + 1), state];
      at += 1;
    },
    undo: () => move(at - 1),
    redo: () => move(at + 1),
    canUndo: () => at > 0,
    canRedo: () => at < states.length - 1,
  };
}
