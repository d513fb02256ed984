// @ts-check
/** The card of a face: a picture with its name, story, family and seed. */

import { getPicture } from "../state/api.js";
import { describeFace, pictureUrl } from "../state/face.js";
import { describeEpoch, findRun } from "../state/runs.js";

/** @import { Face, SavedFace } from "../state/types.d.ts" */

const [WIDTH, HEIGHT, MARGIN] = [1080, 1500, 80];
const PICTURE = WIDTH - 2 * MARGIN;
const RELATIVE = 132;
const MAX_LINES = 4;
const SERIF = "Georgia, 'Noto Serif', serif";
const SANS = "system-ui, 'Noto Sans', sans-serif";
const [PAPER, INK, QUIET, RULE] = ["#fbf7f0", "#2b2430", "#77707c", "#d9cfc4"];
const ROLES = ["Began as", "Colours of", "Details of"];

/**
 * Return the card as a PNG.
 *
 * @param {SavedFace} saved
 * @param {Face[]} family the first face, and those that gave colours and details
 * @param {Face} face
 * @returns {Promise<Blob>}
 */
export async function drawCard(saved, family, face) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser cannot draw the card.");
  const [picture, ...relatives] = await Promise.all([face, ...family].map(load));
  context.fillStyle = PAPER;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.strokeStyle = RULE;
  context.lineWidth = 2;
  context.strokeRect(MARGIN / 2, MARGIN / 2, WIDTH - MARGIN, HEIGHT - MARGIN);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, MARGIN, MARGIN, PICTURE, PICTURE);
  let top = MARGIN + PICTURE + 84;
  context.fillStyle = INK;
  context.font = `600 68px ${SERIF}`;
  context.fillText(fit(context, saved.name, PICTURE), MARGIN, top);
  top += 54;
  context.font = `30px ${SERIF}`;
  for (const line of lines(context, saved.story, PICTURE)) {
    context.fillText(line, MARGIN, top);
    top += 42;
  }
  drawFamily(context, relatives);
  context.fillStyle = QUIET;
  context.font = `22px ${SANS}`;
  context.textAlign = "right";
  const right = WIDTH - MARGIN;
  const origin = [
    describeFace(family[0]),
    face.run,
    describeEpoch(findRun(face.run), face.epoch),
    face.digest ?? "",
  ];
  origin.forEach((text, index) => {
    context.fillText(fit(context, text, PICTURE / 2 - 20), right, HEIGHT - 166 + 32 * index);
  });
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) =>
      blob ? resolve(blob) : reject(new Error("The card could not be drawn.")),
    ),
  );
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {ImageBitmap[]} relatives
 */
function drawFamily(context, relatives) {
  const top = HEIGHT - MARGIN - RELATIVE;
  context.font = `20px ${SANS}`;
  relatives.forEach((relative, index) => {
    const left = MARGIN + index * (RELATIVE + 24);
    context.drawImage(relative, left, top, RELATIVE, RELATIVE);
    context.fillStyle = QUIET;
    context.fillText(
      relatives.length === 2 && index ? "With a part of" : ROLES[index],
      left,
      top - 12,
    );
  });
}

/** @param {Face} face */
async function load(face) {
  return createImageBitmap(await getPicture(pictureUrl(face)));
}

/**
 * Return the text, cut where it becomes wider than `width`.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} width
 */
function fit(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let cut = [...text];
  while (cut.length && context.measureText(`${cut.join("")}…`).width > width)
    cut = cut.slice(0, -1);
  return `${cut.join("").trimEnd()}…`;
}

/**
 * Break a text into at most `MAX_LINES` lines.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} width
 */
function lines(context, text, width) {
  /** @type {string[]} */
  const broken = [];
  for (const paragraph of text.split("\n").filter(Boolean)) {
    let line = "";
    for (const part of paragraph.split(/(?<=\s)/)) {
      if (line && context.measureText(line + part).width > width) {
        broken.push(line.trimEnd());
        line = "";
      }
      line += part;
    }
    broken.push(line);
  }
  const shown = broken.slice(0, MAX_LINES).map((line) => fit(context, line, width));
  if (broken.length > MAX_LINES)
    shown[MAX_LINES - 1] = fit(context, `${shown[MAX_LINES - 1]} …`, width);
  return shown;
}
