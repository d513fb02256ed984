// @ts-check
/** Editor: a face that sliders change. */

import { describeFace, fromQuery, generatorOf, toQuery, withMoves } from "../state/face.js";
import { toggleFavourite } from "../state/favourites.js";
import { resolveFace } from "../state/generators.js";
import { notifyError } from "../state/messages.js";
import { go, goBack, link, replace, updateAddress } from "../state/router.js";
import { saveAndConfirm } from "../state/saved.js";
import { toggleSelected } from "../state/selection.js";
import { undoHistory } from "../state/undo.js";
import { directionSliders } from "../ui/direction-sliders.js";
import { button, element, linkButton } from "../ui/dom.js";
import { slider, twoDecimals } from "../ui/fields.js";
import { labelPicker } from "../ui/label-picker.js";
import { labelRow, takesLabels } from "../ui/label-row.js";
import { liveImage } from "../ui/live-image.js";
import { otherFaces } from "../ui/other-faces.js";
import { styleMixer } from "../ui/style-mixer.js";
import { TRUNCATION, term } from "../ui/term.js";

/** @import { Face, SaveRequest, View } from "../state/types.d.ts" */

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function editView(container) {
  /** @type {ReturnType<typeof startEditor> | null} */
  let editor = null;
  let controller = new AbortController();
  /** @type {View} */
  const view = {
    title: "Edit",
    async update(params) {
      const given = fromQuery(params);
      if (editor?.isAt(given)) return;
      view.leave?.();
      controller = new AbortController();
      const { signal } = controller;
      const face = await resolveFace(given, signal).catch(notifyError);
      if (signal.aborted || face === undefined) return;
      if (!face) return replace("face", toQuery(given)); // which shows its stored picture
      editor = startEditor(container, face);
      view.keys = editor.keys;
    },
    leave() {
      controller.abort();
      editor?.leave();
      editor = null;
    },
  };
  return view;
}

/**
 * @param {HTMLElement} container
 * @param {Face} shown
 */
function startEditor(container, shown) {
  let face = shown;
  const image = element("img", { alt: describeFace(face), draggable: "false" });
  const live = liveImage(image);
  const history = undoHistory(face, show, "edits", toQuery);
  const start = history.first();
  const directions = directionSliders(generatorOf(face), (changes, released) =>
    change({ moves: withMoves(face, changes).moves }, released),
  );
  const mixer = styleMixer(face, (layers, parent) => {
    const { [layers]: _, ...others } = face.mix;
    change({ mix: parent == null ? others : { ...others, [layers]: parent } }, true);
  });
  /** @param {string | null} label */
  const changeLabel = (label) => change({ label }, true);
  const labels = labelPicker(face.seed == null ? "As it is" : "By seed", changeLabel, (styles) =>
    takesLabels(face, styles),
  );
  const everyLabel = labelRow(face, changeLabel);
  const others = otherFaces(face);
  const map = linkButton("Map", link("map", toQuery(face)), {
    title: "Faces around this one, on an endless map",
  });
  const truncation = slider(TRUNCATION.label, {
    min: 0,
    max: 1,
    step: 0.05,
    value: face.truncation,
    format: twoDecimals,
    oninput: (value) => change({ truncation: value }, false),
    onchange: (value) => change({ truncation: value }, true),
  });
  const undo = button("Undo", history.undo, { title: "Undo (Ctrl+Z)" });
  const redo = button("Redo", history.redo, { title: "Redo (Ctrl+Shift+Z)" });

  /**
   * @param {Partial<Face>} changes
   * @param {boolean} released add a step to the history
   */
  function change(changes, released) {
    face = { ...face, ...changes };
    live.show(face);
    others.show(face);
    if (!released) return;
    history.add(face);
    onStep();
  }
  /** @param {Face} state */
  function show(state) {
    face = state;
    mixer.set(face.mix);
    truncation.set(face.truncation);
    live.show(face);
    others.show(face);
    onStep();
  }
  function onStep() {
    directions.set(face);
    directions.drawEnds();
    map.href = link("map", toQuery(face));
    updateAddress("edit", toQuery(face));
    image.alt = describeFace(face);
    labels.set(face, face.label);
    everyLabel.set(face);
    undo.disabled = !history.canUndo();
    redo.disabled = !history.canRedo();
  }
  const reset = () => {
    const { mix, truncation, label } = start;
    change({ moves: {}, mix, truncation, label }, true);
    show(face);
  };
  const back = () => goBack(link("face", toQuery(face)));
  const actions = element(
    "div.actions",
    {},
    undo,
    redo,
    button("Reset", reset),
    button("Save", () => saveAndConfirm(saveRequest(start, face)), { class: "primary" }),
    map,
    button("Select", () => toggleSelected(face)),
    button("View", () => go("face", toQuery(face))),
    button("Back", back),
  );
  const about = element(
    "aside.about",
    { "aria-label": "Edit this face" },
    element("h1", {}, "Edit"),
    actions,
    labels.root,
    directions.root,
    truncation,
    term("What is variety?", TRUNCATION.term, TRUNCATION.explanation),
    everyLabel.root,
    mixer.root,
  );
  const stage = element("div.stage", {}, element("div.big", {}, image), others.root);
  container.replaceChildren(stage, about);
  show(face);
  return {
    keys: {
      z: (/** @type {KeyboardEvent} */ { ctrlKey, metaKey, shiftKey }) => {
        if (!ctrlKey && !metaKey) return false;
        return shiftKey ? history.redo() : history.undo();
      },
      y: (/** @type {KeyboardEvent} */ { ctrlKey }) => ctrlKey && history.redo(),
      f: () => toggleFavourite(face),
      " ": () => toggleSelected(face),
      Escape: back,
    },
    /** @param {Face} other */
    isAt: (other) => toQuery(other) === toQuery(face),
    leave() {
      directions.leave();
      mixer.leave();
      labels.leave();
      everyLabel.leave();
      live.leave();
      others.leave();
    },
  };
}

/**
 * @param {Face} start
 * @param {Face} face
 * @returns {SaveRequest}
 */
function saveRequest(start, face) {
  if (toQuery(start) === toQuery(face)) return { face };
  return { face, how: "edit", parents: [{ face: start, share: 1 }] };
}
