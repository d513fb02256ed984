// @ts-check
/** A row of other faces that change as the edited one does. */

import { getSketches } from "../state/api.js";
import { isAbort } from "../state/errors.js";
import { faceFromSeed } from "../state/face.js";
import { notifyError } from "../state/messages.js";
import { latestOnly } from "../state/scheduling.js";
import { element, revokeLater } from "./dom.js";
import { paint } from "./sprite.js";
import { arrowNavigation, createTile, onTileClick, updateTile } from "./tiles.js";

/** @import { Face } from "../state/types.d.ts" */

const COUNT = 6;
const PAUSE = 60; // ms between two drawings, so that the edited face comes first

/**
 * Return tiles of the faces of other seeds, with the edits of a face; a click looks at one.
 *
 * @param {Face} face
 */
export function otherFaces(face) {
  const controller = new AbortController();
  const first = (face.seed ?? 0) + 1;
  const tiles = Array.from({ length: COUNT }, (_, index) =>
    createTile(faceFromSeed(face, first + index)),
  );
  const attributes = { role: "group", "aria-label": "Other faces, changed in the same way" };
  const root = element("div.others", attributes, ...tiles);
  const updateTabStop = arrowNavigation(root);
  onTileClick(root);
  updateTabStop();
  /** @type {string | null} */
  let url = null;
  const draw = latestOnly(
    async (/** @type {Face[]} */ faces) => {
      const blob = await getSketches(faces, COUNT, controller.signal);
      await new Promise((done) => setTimeout(done, PAUSE));
      return blob;
    },
    (blob) => {
      revokeLater(url);
      url = paint(tiles, blob, COUNT);
    },
    (error) => {
      if (!isAbort(error)) notifyError(error);
    },
  );
  return {
    root,
    /** @param {Face} edited */
    show(edited) {
      const { moves, mix, truncation, label } = edited;
      for (const tile of tiles) {
        tile.face = { ...tile.face, moves, mix, truncation, label };
        updateTile(tile);
      }
      draw(tiles.map((tile) => tile.face));
    },
    leave() {
      controller.abort();
      revokeLater(url);
    },
  };
}
