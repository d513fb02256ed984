// @ts-check
/** Words that a visitor knows, with the term of the field behind them. */

import { element } from "./dom.js";

/**
 * Return a text that a click, a touch or Enter explains.
 *
 * @param {string} text
 * @param {string} term the term of the field
 * @param {string} explanation
 */
export function term(text, term, explanation) {
  return element(
    "details.term",
    {},
    element("summary", {}, text),
    element("p", {}, element("b", {}, term), ` ${explanation}`),
  );
}

export const TRUNCATION = {
  label: "Variety",
  term: "Truncation:",
  explanation:
    "how far a face may be from the average one. At 1 it is as the network draws it; towards 0 it becomes more typical.",
};
export const EMA = {
  term: "EMA (exponential moving average):",
  explanation:
    "the smooth weights are an average over the last part of the training, and draw cleaner faces; the latest ones are those of the last step.",
};
export const DISTANCE = {
  explanation:
    "how much the drawn faces differ from the real ones. SWD is the sliced Wasserstein distance of small patches, FD and FID are Fréchet distances of features that a network sees.",
};
