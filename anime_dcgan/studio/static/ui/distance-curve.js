// @ts-check
/** A small chart of the distance to real faces over the images seen. */

import { rounded } from "../state/text.js";
import { element, svgElement } from "./dom.js";
import { DISTANCE, term } from "./term.js";

/** @import { Measurement, RunDetails } from "../state/types.d.ts" */

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [560, 150, 44, 10, 10, 22];
/** The axis is logarithmic if the largest distance exceeds this multiple of the smallest. */
const LOG_RATIO = 4;
/** A floor more than this factor below the curve is omitted, as it would flatten the curve. */
const MAX_FLOOR_RATIO = 4;

/** @typedef {ReturnType<typeof scalesOf>} Scales */

/**
 * Return the chart, or a hint if there are too few measurements.
 *
 * @param {RunDetails} run
 * @param {string | undefined} epoch highlighted
 * @param {(epoch: string) => void} onchoose called with the epoch nearest to a click
 */
export function distanceCurve(run, epoch, onchoose) {
  const points = run.curve.filter(([, value]) => Number.isFinite(value));
  if (points.length < 2)
    return element("p.quiet", {}, "The curve appears after two measurements of the distance.");
  const values = points.map(([, value]) => value);
  const floor = visibleFloor(run.floor, values);
  const scales = scalesOf(points, floor);
  const line = points.map((point) => scales.position(point).join(",")).join(" ");
  const svg = svgElement(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      class: "curve",
      role: "img",
      "aria-label": describeCurve(run, values),
    },
    ...axes(scales),
    floor !== null && horizontal(scales.y(floor), "floor"),
    ...markers(run, points, scales),
    svgElement("polyline", { class: "line", points: line }),
    currentPoint(run, points, scales, epoch),
  );
  svg.addEventListener("click", ({ clientX }) => {
    const nearest = nearestTo(points, imagesAtPixel(clientX, svg, scales))[2];
    if (nearest != null) onchoose(String(nearest));
  });
  return element("figure.curve-figure", {}, svg, legend(run));
}

/**
 * @param {number | null} floor
 * @param {number[]} values
 */
function visibleFloor(floor, values) {
  return floor && floor > 0 && floor * MAX_FLOOR_RATIO > Math.min(...values) ? floor : null;
}

/**
 * @param {Measurement[]} points
 * @param {number | null} floor
 */
function scalesOf(points, floor) {
  const values = points.map(([, value]) => value);
  if (floor) values.push(floor);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const last = points[points.length - 1][0] || 1;
  const isLog = low > 0 && high / low > LOG_RATIO;
  const scale = isLog ? Math.log : (/** @type {number} */ value) => value;
  const span = scale(high) - scale(low) || 1;
  /** @param {number} images */
  const x = (images) => LEFT + ((WIDTH - LEFT - RIGHT) * images) / last;
  /** @param {number} value */
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (scale(high) - scale(value))) / span;
  /** @param {Measurement} point */
  const position = ([images, value]) => [x(images).toFixed(1), y(value).toFixed(1)];
  return { x, y, low, high, last, position };
}

/** @param {Scales} scales */
function axes({ x, y, low, high, last }) {
  const unit = last >= 1000 ? `${Math.round(last / 1000)}k images` : `${last} images`;
  /** @type {(text: string, x: number, y: number, anchor?: string) => SVGTextElement} */
  const label = (text, x, y, anchor = "end") =>
    svgElement("text", { x, y, "text-anchor": anchor }, text);
  return [
    horizontal(HEIGHT - BOTTOM, "axis"),
    label(rounded(high), LEFT - 6, y(high) + 4),
    label(rounded(low), LEFT - 6, y(low) + 4),
    label("0", LEFT, HEIGHT - 6, "start"),
    label(unit, x(last), HEIGHT - 6),
  ];
}

/**
 * @param {number} y
 * @param {string} name
 */
function horizontal(y, name) {
  return svgElement("line", { class: name, x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y });
}

/**
 * Return vertical lines at the best epoch and at that of the verdict.
 *
 * @param {RunDetails} run
 * @param {Measurement[]} points
 * @param {Scales} scales
 */
function markers(run, points, { x }) {
  const verdict = run.verdict?.epoch == null ? null : imagesAt(points, run.verdict.epoch);
  /** @type {(images: number | null | undefined, name: string) => SVGElement | null} */
  const vertical = (images, name) =>
    images == null
      ? null
      : svgElement("line", {
          class: name,
          x1: x(images),
          x2: x(images),
          y1: TOP,
          y2: HEIGHT - BOTTOM,
        });
  return [vertical(run.best?.images, "best"), vertical(verdict, "decided")];
}

/**
 * Return the images seen at an epoch, interpolated linearly between measurements.
 *
 * @param {Measurement[]} points
 * @param {number} epoch
 */
function imagesAt(points, epoch) {
  const numbered = points.filter((point) => point[2] != null);
  const after = numbered.findIndex((point) => Number(point[2]) >= epoch);
  if (after <= 0) return numbered.at(after)?.[0] ?? null;
  const [[from, , low], [to, , high]] = [numbered[after - 1], numbered[after]];
  return from + ((to - from) * (epoch - Number(low))) / (Number(high) - Number(low) || 1);
}

/**
 * @param {RunDetails} run
 * @param {Measurement[]} points
 * @param {Scales} scales
 * @param {string | undefined} epoch
 */
function currentPoint(run, points, scales, epoch) {
  const aliases = { best: run.best?.epoch, last: points.at(-1)?.[2] };
  const number = epoch === "best" || epoch === "last" ? aliases[epoch] : epoch;
  if (number == null || !Number.isFinite(Number(number))) return null;
  const images = imagesAt(points, Number(number));
  if (images == null) return null;
  const [cx, cy] = scales.position(nearestTo(points, images));
  return svgElement("circle", { class: "current", cx, cy, r: 5 });
}

/**
 * @param {Measurement[]} points
 * @param {number} images
 */
function nearestTo(points, images) {
  return points.reduce((nearest, point) =>
    Math.abs(point[0] - images) < Math.abs(nearest[0] - images) ? point : nearest,
  );
}

/**
 * @param {number} clientX
 * @param {SVGElement} svg
 * @param {Scales} scales
 */
function imagesAtPixel(clientX, svg, { last }) {
  const box = svg.getBoundingClientRect();
  const x = ((clientX - box.left) / box.width) * WIDTH;
  return ((x - LEFT) / (WIDTH - LEFT - RIGHT)) * last;
}

/**
 * @param {RunDetails} run
 * @param {number[]} values
 */
function describeCurve(run, values) {
  const best = run.best ? `, best ${rounded(run.best.value)} in epoch ${run.best.epoch}` : "";
  return `${run.headline} from ${rounded(values[0])} to ${rounded(values[values.length - 1])}${best}`;
}

/** @param {RunDetails} run */
function legend(run) {
  /** @type {(name: string, text: string) => HTMLElement} */
  const entry = (name, text) => element("span", {}, element(`i.key.${name}`), text);
  return element(
    "figcaption.quiet",
    {},
    term("Distance to real faces: lower is closer", `${run.headline}:`, DISTANCE.explanation),
    run.best && entry("best", `best ${rounded(run.best.value)}`),
    run.verdict?.epoch != null && entry("decided", run.verdict.name),
    run.floor !== null && run.floor > 0 && entry("floor", `real vs. real ${rounded(run.floor)}`),
  );
}
