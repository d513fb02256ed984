/** The distance over the images of a training, small, with what matters marked. */

import { drawn, element } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [560, 150, 44, 10, 10, 22];
const STEEP = 4; // from which ratio on the axis is logarithmic
const FAR = 4; // times below the curve: such a floor would only flatten it

/**
 * @param {object} run with curve, best, verdict, floor and headline
 * @param {string} epoch that is looked at
 * @param {(epoch: string) => void} onchoose
 */
export function distanceCurve(run, epoch, onchoose) {
  const points = (run.curve ?? []).filter(([, value]) => Number.isFinite(value));
  if (points.length < 2) return element("p.quiet", {}, "No distance was measured yet.");
  const scale = scalesOf(points, run.floor);
  const svg = drawn(
    "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img", "aria-label": inWords(run, points) },
    ...axes(scale), floorLine(scale, near(run.floor, points.map(([, value]) => value)) && run.floor), ...marks(run, points, scale),
    drawn("polyline", { class: "line", points: points.map((point) => scale.at(point).join(",")).join(" ") }),
    here(run, points, scale, epoch),
  );
  svg.addEventListener("click", (event) => chooseNearest(event, svg, points, scale, onchoose));
  return element("figure.curve-figure", {}, svg, legend(run));
}

function scalesOf(points, floor) {
  const measured = points.map(([, value]) => value);
  const values = near(floor, measured) ? [...measured, floor] : measured;
  const [low, high, last] = [Math.min(...values), Math.max(...values), points.at(-1)[0] || 1];
  const steep = low > 0 && high / low > STEEP;
  const along = steep ? Math.log : (value) => value;
  const span = along(high) - along(low) || 1;
  const x = (images) => LEFT + ((WIDTH - LEFT - RIGHT) * images) / last;
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (along(high) - along(value))) / span;
  return { x, y, low, high, last, at: ([images, value]) => [x(images).toFixed(1), y(value).toFixed(1)] };
}

function near(floor, measured) {
  return floor > 0 && floor * FAR > Math.min(...measured);
}

function axes({ x, y, low, high, last }) {
  const text = (words, place) => drawn("text", place, words);
  const thousand = (images) => (images >= 1000 ? `${Math.round(images / 1000)}k images` : `${images} images`);
  return [
    drawn("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }),
    text(short(high), { x: LEFT - 6, y: y(high) + 4, "text-anchor": "end" }),
    text(short(low), { x: LEFT - 6, y: y(low) + 4, "text-anchor": "end" }),
    text("0", { x: LEFT, y: HEIGHT - 6 }),
    text(thousand(last), { x: x(last), y: HEIGHT - 6, "text-anchor": "end" }),
  ];
}

const short = (value) => Number(value.toPrecision(3)).toString();

function floorLine({ y }, floor) {
  return floor ? drawn("line", { class: "floor", x1: LEFT, x2: WIDTH - RIGHT, y1: y(floor), y2: y(floor) }) : null;
}

function marks(run, points, { x }) {
  const upright = (images, name) =>
    drawn("line", { class: name, x1: x(images), x2: x(images), y1: TOP, y2: HEIGHT - BOTTOM });
  const verdict = run.verdict?.epoch == null ? null : imagesAt(points, run.verdict.epoch);
  return [run.best && upright(run.best.images, "best"), verdict != null && upright(verdict, "decided")].filter(Boolean);
}

/** How many images an epoch had seen, between the measured ones by a straight line. */
function imagesAt(points, epoch) {
  const known = points.filter(([, , at]) => at != null);
  const after = known.findIndex(([, , at]) => Number(at) >= Number(epoch));
  if (after <= 0) return after === 0 ? known[0][0] : known.at(-1)?.[0];
  const [[from, , low], [to, , high]] = [known[after - 1], known[after]];
  return from + ((to - from) * (Number(epoch) - low)) / (high - low || 1);
}

function here(run, points, scale, epoch) {
  const number = epoch === "best" ? run.best?.epoch : epoch === "last" ? points.at(-1)[2] : epoch;
  if (number == null || !Number.isFinite(Number(number))) return null;
  const images = imagesAt(points, number);
  if (images == null) return null;
  const nearest = nearestTo(points, images);
  const [cx, cy] = scale.at(nearest);
  return drawn("circle", { class: "here", cx, cy, r: 5 });
}

function nearestTo(points, images) {
  return points.reduce((one, other) => (Math.abs(other[0] - images) < Math.abs(one[0] - images) ? other : one));
}

function chooseNearest(event, svg, points, scale, onchoose) {
  const box = svg.getBoundingClientRect();
  const across = ((event.clientX - box.left) / box.width) * WIDTH;
  const images = ((across - LEFT) / (WIDTH - LEFT - RIGHT)) * scale.last;
  const [, , epoch] = nearestTo(points, images);
  if (epoch != null) onchoose(String(epoch));
}

function inWords(run, points) {
  const best = run.best ? `, the best is ${short(run.best.value)} in epoch ${run.best.epoch}` : "";
  return `${run.headline} from ${short(points[0][1])} to ${short(points.at(-1)[1])}${best}`;
}

function legend(run) {
  const entry = (name, words) => element("span", {}, element(`i.key.${name}`), words);
  return element(
    "figcaption.quiet", {}, element("span", {}, `${run.headline}: lower is nearer to real faces`),
    run.best && entry("best", `best ${short(run.best.value)}`),
    run.verdict?.epoch != null && entry("decided", run.verdict.name),
    run.floor > 0 && entry("floor", `real against real ${short(run.floor)}`),
  );
}
