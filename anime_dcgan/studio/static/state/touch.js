// @ts-check
/** Words for fingers, or for a mouse and a keyboard. */

/** Return true if the main way of pointing is a finger. */
export const isTouch = () => matchMedia("(pointer: coarse)").matches;

/** Return how a face is selected on this device. */
export const howToSelect = () =>
  isTouch() ? "touch and hold a face" : "press Space on a face, or Shift+click it";
