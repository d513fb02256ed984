// @ts-check
/** A slideshow in full screen: one random face after the other, with a morph between them. */

import { getSheet, mix } from "../state/api.js";
import { describeFace, faceFromSeed, randomSeed } from "../state/face.js";
import { notifyError } from "../state/messages.js";
import { button, element } from "./dom.js";

/** @import { Face, GeneratorParams } from "../state/types.d.ts" */

/** @typedef {{ face: Face, sheet: ImageBitmap, frames: number }} Morph */

const SECONDS_PER_FACE = 15;
const MORPH_SECONDS = 2.5;
const STEPS = 24;
const COLUMNS = 5;
const SIDE = 1024; // of the canvas, in pixels

/**
 * Show random faces of a generator until the user closes the slideshow.
 *
 * @param {GeneratorParams} params
 * @param {Face} [first]
 */
export async function startSlideshow(params, first = faceFromSeed(params, randomSeed())) {
  const canvas = element("canvas", { width: SIDE, height: SIDE, role: "img" });
  const close = button("Close", () => dialog.close(), { title: "Close (Esc)" });
  const dialog = element("dialog.slideshow", { "aria-label": "Slideshow" }, canvas, close);
  const controller = new AbortController();
  const { signal } = controller;
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    controller.abort();
    if (document.fullscreenElement) document.exitFullscreen();
    dialog.remove();
  });
  dialog.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) dialog.close();
  });
  /** Called to show the next face at once. */
  let skip = () => {};
  canvas.addEventListener("click", () => skip());
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowRight" && event.key !== " ") return;
    event.preventDefault();
    skip();
  });
  dialog.showModal();
  await dialog.requestFullscreen?.().catch(() => {}); // not every browser has it
  try {
    let current = await still(first, signal);
    draw(canvas, current, 1);
    while (!signal.aborted) {
      const next = morph(current.face, faceFromSeed(params, randomSeed()), signal);
      await Promise.race([
        pause(SECONDS_PER_FACE, signal),
        new Promise((done) => (skip = () => done(null))),
      ]);
      current = await next;
      if (!signal.aborted) await animate(canvas, current, signal);
    }
  } catch (error) {
    if (!signal.aborted) {
      dialog.close();
      notifyError(error);
    }
  }
}

/**
 * @param {Face} face
 * @param {AbortSignal} signal
 * @returns {Promise<Morph>}
 */
async function still(face, signal) {
  return { face, sheet: await createImageBitmap(await getSheet([face], 1, signal)), frames: 1 };
}

/**
 * Return the faces between two, which end at the second one.
 *
 * @param {Face} from
 * @param {Face} to
 * @param {AbortSignal} signal
 * @returns {Promise<Morph>}
 */
async function morph(from, to, signal) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return still(to, signal);
  const { faces } = await mix([from, to], STEPS, null);
  const sheet = await createImageBitmap(await getSheet(faces, COLUMNS, signal));
  return { face: to, sheet, frames: faces.length };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Morph} shown
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function animate(canvas, shown, signal) {
  const start = performance.now();
  return new Promise((done) => {
    const step = () => {
      const share = Math.min(1, (performance.now() - start) / (1000 * MORPH_SECONDS));
      draw(canvas, shown, (1 - Math.cos(Math.PI * share)) / 2);
      if (share < 1 && !signal.aborted) requestAnimationFrame(step);
      else done();
    };
    step();
  });
}

/**
 * Draw the face at a point of a morph, between two of its frames.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Morph} shown
 * @param {number} share in [0, 1]
 */
function draw(canvas, { face, sheet, frames }, share) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const columns = Math.min(COLUMNS, frames);
  const side = sheet.width / columns;
  const position = share * (frames - 1);
  const first = Math.floor(position);
  context.imageSmoothingQuality = "high";
  for (const [frame, alpha] of [
    [first, 1],
    [Math.min(first + 1, frames - 1), position - first],
  ]) {
    context.globalAlpha = alpha;
    const [x, y] = [(frame % columns) * side, Math.floor(frame / columns) * side];
    context.drawImage(sheet, x, y, side, side, 0, 0, SIDE, SIDE);
  }
  canvas.setAttribute("aria-label", describeFace(face));
}

/**
 * @param {number} seconds
 * @param {AbortSignal} signal
 */
function pause(seconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, 1000 * seconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done(null);
    });
  });
}
