// @ts-check
/** Undo and redo, which survive a reload. */

import { recall, remember } from "./session.js";

/**
 * Return a history of states and a current position in it.
 *
 * @template State
 * @param {State} first
 * @param {(state: State) => void} onMove called with the state that undo or redo restores
 * @param {string} key under which the history is remembered
 * @param {(state: State) => string} textOf equal for equal states
 */
export function undoHistory(first, onMove, key, textOf) {
  let { states, current } = recall(key, { states: [first], current: 0 });
  if (textOf(states[current]) !== textOf(first)) [states, current] = [[first], 0];
  /** @param {number} index */
  const move = (index) => {
    if (index < 0 || index >= states.length) return false;
    current = index;
    remember(key, { states, current });
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
      if (textOf(state) === textOf(states[current])) return;
      states = [...states.slice(0, current + 1), state];
      current += 1;
      remember(key, { states, current });
    },
    /** The state with which the history began. */
    first: () => states[0],
    undo: () => move(current - 1),
    redo: () => move(current + 1),
    canUndo: () => current > 0,
    canRedo: () => current < states.length - 1,
  };
}
