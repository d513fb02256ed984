/** A film that leads from face to face, or a zip of just these faces. */

import { makeFilm, makeZip } from "../state/api.js";
import { button, choice, counted, element, labelled, range } from "../ui/dom.js";
import { toQuery } from "../state/face.js";
import { addJob } from "../state/jobs.js";
import { sayError } from "../ui/notice.js";
import { go } from "../state/router.js";
import { parentsOf } from "./mix.js";
import { paintFaces, tile, walkable } from "../ui/tiles.js";

/** What the server can do; set once it has said so. */
export const able = { mp4: false };

/** @see router.start */
export function filmView(place) {
  return {
    title: "Film",
    update(words) {
      const faces = parentsOf(words);
      const row = element("div.wall", { role: "group", "aria-label": "Faces of the film" }, ...faces.map((face) => tile(face)));
      row.addEventListener("click", (event) => event.target.face && go("face", toQuery(event.target.face)));
      walkable(row)();
      paintFaces([...row.children]).catch(sayError);
      place.replaceChildren(element("h1", {}, "Film or zip"), row, filmForm(faces), zipForm(faces));
    },
    keys: {},
  };
}

function filmForm(faces) {
  const wish = { frames_per_face: 24, frames_per_second: 24, format: able.mp4 ? "mp4" : "gif", scale: 4 };
  const length = element("span.quiet");
  const set = (name) => (value) => {
    wish[name] = value;
    const frames = wish.frames_per_face * faces.length;
    length.textContent = `${frames} frames, ${(frames / wish.frames_per_second).toFixed(1)} s`;
  };
  set("scale")(4);
  const formats = [["gif", "GIF"], ...(able.mp4 ? [["mp4", "MP4"]] : [])];
  const make = button("Make the film", () => start(makeFilm({ faces, ...wish }), `Film of ${counted(faces.length, "face")}`), { class: "primary" });
  make.disabled = faces.length < 2;
  return element(
    "section.form", {}, element("h2", {}, "Film"),
    range("Frames from face to face", { min: 2, max: 120, step: 1, value: 24, oninput: set("frames_per_face") }),
    range("Frames a second", { min: 5, max: 50, step: 1, value: 24, oninput: set("frames_per_second") }),
    range("Enlarged", { min: 1, max: 8, step: 1, value: 4, format: (value) => `${value} times`, oninput: set("scale") }),
    labelled("Format", choice(formats, wish.format, set("format"))), length,
    faces.length < 2 ? element("p", {}, "A film needs two faces or more: choose them on the wall with Space.") : null, make,
  );
}

function zipForm(faces) {
  const make = button(`A zip of ${counted(faces.length, "face")}`, () => start(makeZip({ faces }), `Zip of ${counted(faces.length, "face")}`));
  make.disabled = !faces.length;
  return element("section.form", {}, element("h2", {}, "Zip"), make);
}

async function start(asked, name) {
  try {
    addJob(await asked, name);
  } catch (error) {
    sayError(error);
  }
}
