/** Editing: a face that changes under the hand while sliders move it. */

import { getPicture, keep } from "../state/api.js";
import { button, element, range, release } from "../ui/dom.js";
import { fromQuery, generatorOf, nameOf, pictureOf, toQuery } from "../state/face.js";
import { learn, toggleFavourite } from "../state/favourites.js";
import { stepsOf } from "../state/undo-history.js";
import { latestOnly } from "../state/scheduling.js";
import { say, sayError } from "../ui/notice.js";
import { go, leaveTo, link, note } from "../state/router.js";
import { directionSliders } from "../ui/direction-sliders.js";
import { toggleTray } from "../state/selection.js";

/** @see router.start */
export function editView(place) {
  let editor = null;
  return {
    title: "Edit",
    update(words) {
      const face = fromQuery(words);
      if (editor?.shows(face)) return;
      editor?.leave();
      editor = startEditor(place, face);
      this.keys = editor.keys;
    },
    leave: () => editor?.leave(),
    keys: {},
  };
}

function startEditor(place, start) {
  let face = start;
  const image = element("img", { alt: nameOf(face), draggable: "false" });
  const frames = liveImage(image);
  const steps = stepsOf(face, (state) => show(state));
  const sliders = directionSliders(generatorOf(face), (id, step, rests) => change({ moves: { ...face.moves, [id]: step } }, rests));
  const truncation = range("Truncation", {
    min: 0, max: 1, step: 0.05, value: face.truncation, format: (value) => value.toFixed(2),
    oninput: (value) => change({ truncation: value }, false), onchange: (value) => change({ truncation: value }, true),
  });
  const undo = button("Undo", () => steps.undo(), { title: "Undo (Ctrl+Z)" });
  const redo = button("Redo", () => steps.redo(), { title: "Redo (Ctrl+Shift+Z)" });

  function change(changes, rests) {
    face = withChanges(face, changes);
    frames.show(face);
    if (!rests) return;
    steps.add(face);
    written();
  }
  function show(state) {
    face = state;
    sliders.set(face.moves);
    truncation.set(face.truncation);
    frames.show(face);
    written();
  }
  function written() {
    note("edit", toQuery(face));
    undo.disabled = !steps.canUndo();
    redo.disabled = !steps.canRedo();
  }
  const reset = () => change({ moves: {}, truncation: start.truncation }, true);
  const back = () => leaveTo(link("face", toQuery(face)));
  const buttons = element(
    "div.actions", {}, undo, redo, button("Reset", () => (reset(), show(face))),
    button("Keep", () => keepEdit(start, face), { class: "primary" }),
    button("Choose", () => toggleTray(face)), button("View", () => go("face", toQuery(face))), button("Back", back),
  );
  const big = element("div.big", {}, image);
  const title = element("h1", {}, "Edit");
  const about = element("aside.about", { "aria-label": "Edit this face" }, title, buttons, truncation, sliders.root);
  place.replaceChildren(big, about);
  show(face);
  const keys = {
    z: (event) => (event.ctrlKey || event.metaKey ? event.shiftKey ? steps.redo() : steps.undo() : false),
    y: (event) => event.ctrlKey && steps.redo(),
    f: () => toggleFavourite(face),
    " ": () => toggleTray(face),
    Escape: back,
  };
  return { keys, shows: (other) => toQuery(other) === toQuery(face), leave: () => (sliders.leave(), frames.leave()) };
}

/** Another value of a face; a direction that is not moved along is not named. */
function withChanges(face, changes) {
  const next = { ...face, ...changes };
  next.moves = Object.fromEntries(Object.entries(next.moves).filter(([, step]) => step !== 0));
  return next;
}

async function keepEdit(start, face) {
  const edited = toQuery(start) !== toQuery(face);
  const origin = edited ? { how: "edit", parents: [{ face: start, share: 1 }] } : {};
  try {
    const kept = await keep({ face, ...origin });
    learn(kept);
    say("It is kept.", { action: ["Its family", () => go("family", { kept: kept.id })] });
  } catch (error) {
    sayError(error);
  }
}

/** An image of the newest wish; older ones that were never shown are never asked for. */
export function liveImage(image) {
  let address = null;
  const show = latestOnly(
    (face) => getPicture(pictureOf(face)),
    (blob) => {
      const next = URL.createObjectURL(blob);
      image.src = next;
      release(address);
      address = next;
    },
    sayError,
  );
  return { show, leave: () => release(address) };
}
