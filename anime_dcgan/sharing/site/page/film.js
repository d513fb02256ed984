// @ts-check
/** A film through several faces, recorded from a canvas. */

const FILM_SIDE = 512; // px
const SECONDS_PER_FACE = 1.2;
const FRAMES_PER_SECOND = 30;
const FILM_TYPES = ["video/webm;codecs=vp9", "video/webm", "video/mp4"];

/** Return the first type of film that this browser records, or undefined. */
function filmType() {
  if (!("MediaRecorder" in window)) return undefined;
  return FILM_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
}

/**
 * Record a film from each face to the next and back to the first.
 *
 * @param {Engine} engine
 * @param {Face[]} faces
 * @param {string} type
 * @param {(fraction: number) => void} onprogress
 * @param {number} [seconds] per face
 */
async function recordFilm(engine, faces, type, onprogress, seconds = SECONDS_PER_FACE) {
  const steps = Math.round(seconds * FRAMES_PER_SECOND);
  const frames = await drawFrames(engine, faces, steps, onprogress);
  const canvas = make("canvas", { width: FILM_SIDE, height: FILM_SIDE });
  const small = make("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  const recorder = new MediaRecorder(canvas.captureStream(FRAMES_PER_SECOND), {
    mimeType: type,
    videoBitsPerSecond: 4_000_000,
  });
  /** @type {Blob[]} */
  const parts = [];
  recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
  const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve));
  recorder.start();
  for (const [index, frame] of frames.entries()) {
    paint(small, frame);
    context.drawImage(small, 0, 0, FILM_SIDE, FILM_SIDE);
    onprogress(0.5 + index / frames.length / 2);
    await new Promise((resolve) => setTimeout(resolve, 1000 / FRAMES_PER_SECOND));
  }
  recorder.stop();
  await stopped;
  return new Blob(parts, { type });
}

/**
 * @param {Engine} engine
 * @param {Face[]} faces
 * @param {number} steps from a face to the next
 * @param {(fraction: number) => void} onprogress
 */
async function drawFrames(engine, faces, steps, onprogress) {
  /** @type {Picture[]} */
  const frames = [];
  for (const [index, face] of faces.entries()) {
    for (let step = 0; step < steps; step++) {
      const share = (1 - Math.cos((Math.PI * step) / steps)) / 2;
      const next = faces[(index + 1) % faces.length];
      frames.push(...(await engine.draw([between(face, next, share)])));
      onprogress(frames.length / (2 * steps * faces.length)); // recording takes as long again
    }
  }
  return frames;
}
