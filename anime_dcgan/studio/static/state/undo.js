// @ts-check
/** Undo and redo. */

/**
 * Return a history of states and a current position in it.
 *
 * @template State
 * @param {State} first
 * @param {(state: State) => void} onMove called with the state that undo or redo restores
 */
export function undoHistory(first, onMove) {
  let states = [first];
  let current = 0;
  /** @param {number} index */
  const move = (index) => {
    if (index < 0 || index >= states.length) return false;
    current = index;
    onMove(states[current]);
    return true;
  };
  return {
    /**
     * Add a state after the current one; it replaces the states that redo would restore.
     *
     * @param {State} state
     */
    add(state) {
      if (JSON.stringify(state) === JSON.stringify(states[current])) return;
      states = [...states.slice(0, current + 1), state];
      current += 1;
    },
    undo: () => move(current - 1),
    redo: () => move(current + 1),
    canUndo: () => current > 0,
    canRedo: () => current < states.length - 1,
  };
}
