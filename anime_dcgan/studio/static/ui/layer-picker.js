// @ts-check
/** Lists of ranges of style layers, from coarse to fine. */

import { getStyles } from "../state/api.js";
import { isAbort } from "../state/errors.js";
import { notifyError } from "../state/messages.js";
import { capitalised } from "../state/text.js";
import { dropdown, labelled } from "./fields.js";

/** @import { Generator } from "../state/types.d.ts" */

export const ALL_LAYERS = "";

/**
 * Return the options of a list of ranges: all layers, each group, and each pair of neighbours.
 *
 * @param {Record<string, string>} groups ranges by name, from coarse to fine
 * @param {string} current a range that is listed in any case
 * @returns {[string, string][]}
 */
export function layerOptions(groups, current = ALL_LAYERS) {
  const entries = Object.entries(groups);
  /** @type {[string, string][]} */
  const options = [[ALL_LAYERS, "All"]];
  for (const [name, range] of entries) options.push([range, capitalised(name)]);
  if (entries.length > 2)
    entries.slice(1).forEach(([name, range], index) => {
      const [before, start] = entries[index];
      const both = `${start.split("-")[0]}-${range.split("-")[1]}`;
      options.push([both, `${capitalised(before)} and ${name}`]);
    });
  if (!options.some(([range]) => range === current)) options.push([current, `Layers ${current}`]);
  return options;
}

/**
 * Return a labelled list of ranges. It stays hidden for generators with a single style.
 *
 * @param {Generator} generator
 * @param {string} value
 * @param {(layers: string) => unknown} onchange
 */
export function layerPicker(generator, value, onchange) {
  const controller = new AbortController();
  const root = labelled("Layers");
  root.hidden = true;
  root.title = "The other layers stay those of the first face";
  getStyles(generator, controller.signal).then(
    ({ layers, groups }) => {
      root.append(dropdown(layerOptions(groups, value), value, onchange));
      root.hidden = layers === 1;
    },
    (error) => {
      if (!isAbort(error)) notifyError(error);
    },
  );
  return { root, leave: () => controller.abort() };
}
