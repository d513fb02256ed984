// @ts-check
/** The menu of display settings. */

import { RENDERINGS, SIDES, changeSettings, setting } from "../state/settings.js";
import { menu } from "./dom.js";
import { dropdown, labelled, slider } from "./fields.js";
import { EMA, TRUNCATION, term } from "./term.js";

/**
 * Return a menu with the size and scaling of tiles.
 *
 * @param {HTMLElement[]} controls controls specific to the view, shown above the common ones
 */
export function displayMenu(...controls) {
  const size = slider("Size", {
    ...SIDES,
    value: setting("side"),
    format: (value) => `${value} px`,
    oninput: (side) => changeSettings({ side }),
  });
  const scaling = dropdown(
    RENDERINGS,
    setting("rendering"),
    (rendering) => changeSettings({ rendering }),
    { title: "S" },
  );
  const terms = [
    controls.length > 0 && term("What is variety?", TRUNCATION.term, TRUNCATION.explanation),
    term("What are smooth and latest?", EMA.term, EMA.explanation),
  ];
  return menu("Display", ...controls, size, labelled("Scaling", scaling), ...terms);
}
