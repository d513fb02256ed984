// @ts-check
/** Lists of the classes of a run with labels. */

import { getStyles } from "../state/api.js";
import { generatorOf } from "../state/face.js";
import { element } from "./dom.js";
import { dropdown, labelled } from "./fields.js";

/** @import { GeneratorParams, Styles } from "../state/types.d.ts" */

/**
 * Return a labelled list of the classes. It stays hidden for runs without labels.
 *
 * @param {string} unset text of the entry for no label
 * @param {(label: string | null) => unknown} onchange
 * @param {(styles: Styles) => boolean} [isOffered]
 */
export function labelPicker(unset, onchange, isOffered = ({ labels }) => labels.length > 0) {
  /** @type {AbortController | null} */
  let controller = null;
  /** @type {string | null} */
  let chosen = null;
  let generator = "";
  const list = dropdown([["", unset]], "", (value) => onchange(value || null), {
    "aria-label": "Label",
  });
  const root = labelled("Label", list);
  root.hidden = true;

  /** @param {string} label */
  const addOption = (label) => list.append(element("option", { value: label }, label));
  function select() {
    const isListed = [...list.options].some(({ value }) => value === (chosen ?? ""));
    if (!isListed && chosen != null) addOption(chosen);
    list.value = chosen ?? "";
  }
  /** @param {GeneratorParams} params */
  async function load(params) {
    controller?.abort();
    controller = new AbortController();
    const styles = await getStyles(params, controller.signal);
    list.replaceChildren(element("option", { value: "" }, unset));
    styles.labels.forEach(addOption);
    root.hidden = !isOffered(styles);
    select();
  }
  return {
    root,
    /**
     * @param {GeneratorParams} params
     * @param {string | null} label
     */
    set(params, label) {
      chosen = label;
      select();
      const next = JSON.stringify(generatorOf(params));
      if (next === generator) return;
      generator = next;
      load(params).catch(() => {}); // the request for the faces reports the error
    },
    leave: () => controller?.abort(),
  };
}
