// @ts-check
/** A film through faces, or a ZIP archive of them. */

import { createFilm, createZip } from "../state/api.js";
import { parentsFromParams } from "../state/face.js";
import { notifyError } from "../state/messages.js";
import { counted } from "../state/text.js";
import { howToSelect } from "../state/touch.js";
import { button, element } from "../ui/dom.js";
import { dropdown, labelled, slider } from "../ui/fields.js";
import { showJob } from "../ui/job-list.js";
import { layerPicker } from "../ui/layer-picker.js";
import { arrowNavigation, createTile, onTileClick, paintTiles } from "../ui/tiles.js";

/** @import { Face, View } from "../state/types.d.ts" */

/** @type {[string, string][]} */
let formats = [["gif", "GIF"]];

/** Offer MP4 as well, on a server that can write it. */
export function offerMp4() {
  formats = [
    ["mp4", "MP4"],
    ["gif", "GIF"],
  ];
}

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function filmView(container) {
  /** @type {{ leave: () => void } | null} */
  let layers = null;
  return {
    title: "Film",
    leave: () => layers?.leave(),
    update(params) {
      layers?.leave();
      const faces = parentsFromParams(params);
      const tiles = faces.map((face) => createTile(face));
      const attributes = { role: "group", "aria-label": "Faces of the film" };
      const row = element("div.wall", attributes, ...tiles);
      onTileClick(row);
      arrowNavigation(row)();
      paintTiles(tiles).catch(notifyError);
      const title = element("h1", {}, "Film or ZIP");
      const film = filmForm(faces, params.layers ?? "");
      layers = film;
      container.replaceChildren(title, row, film.root, zipForm(faces));
    },
  };
}

/**
 * @param {Face[]} faces
 * @param {string} layers style layers that change from face to face; "" changes all
 */
function filmForm(faces, layers) {
  const settings = {
    layers: layers || null,
    frames_per_face: 24,
    frames_per_second: 24,
    format: formats[0][0],
    scale: 4,
  };
  const duration = element("span.quiet");
  /** @param {Partial<typeof settings>} changes */
  const change = (changes) => {
    Object.assign(settings, changes);
    const frames = settings.frames_per_face * faces.length;
    const seconds = (frames / settings.frames_per_second).toFixed(1);
    duration.textContent = `${frames} frames, ${seconds} s`;
  };
  change({});
  const create = button(
    "Create film",
    () => showJob(createFilm({ faces, ...settings }), `Film of ${counted(faces.length, "face")}`),
    { class: "primary" },
  );
  create.disabled = faces.length < 2;
  const hint = `A film needs at least two faces: on the Faces page, ${howToSelect()} to select it.`;
  const picker = faces.length
    ? layerPicker(faces[0], layers, (layers) => change({ layers: layers || null }))
    : null;
  const root = element(
    "section.form",
    {},
    element("h2", {}, "Film"),
    slider("Frames between faces", {
      min: 2,
      max: 120,
      step: 1,
      value: settings.frames_per_face,
      oninput: (frames_per_face) => change({ frames_per_face }),
    }),
    slider("Frames per second", {
      min: 5,
      max: 50,
      step: 1,
      value: settings.frames_per_second,
      oninput: (frames_per_second) => change({ frames_per_second }),
    }),
    slider("Scale", {
      min: 1,
      max: 8,
      step: 1,
      value: settings.scale,
      format: (value) => `${value}×`,
      oninput: (scale) => change({ scale }),
    }),
    picker?.root,
    labelled(
      "Format",
      dropdown(formats, settings.format, (format) => change({ format })),
    ),
    duration,
    faces.length < 2 && element("p", {}, hint),
    create,
  );
  return { root, leave: () => picker?.leave() };
}

/** @param {Face[]} faces */
function zipForm(faces) {
  const name = `ZIP of ${counted(faces.length, "face")}`;
  const create = button(`Create ${name}`, () => showJob(createZip({ faces }), name));
  create.disabled = !faces.length;
  return element("section.form", {}, element("h2", {}, "ZIP"), create);
}
