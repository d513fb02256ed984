// @ts-check
/** A map of faces that is dragged, zoomed and walked through; it has no end. */

import { element, revokeLater } from "./dom.js";

/** @typedef {{ x: number, y: number }} Place */
/** @typedef {{ root: HTMLElement, url: string | null, state: "new" | "busy" | "done" }} Chunk */

const CHUNK = 4; // faces per side of a picture
const STEPS = [0.1, 0.25, 0.5, 1, 2];
const PARALLEL = 2;
const KEPT = 80; // chunks
const CLICK = 5; // px that a click may move
const DRIFT = 0.35; // faces per second
const RETRY_SECONDS = 1;
const WHEEL = 60; // of its delta, per step of the zoom

/**
 * @param {object} options
 * @param {Place} options.place in the middle of the window, in steps of the directions
 * @param {number} options.step between two neighbours
 * @param {(places: Place[], columns: number) => Promise<Blob>} options.draw
 * @param {(place: Place) => void} options.choose
 * @param {(place: Place) => void} options.moved
 * @param {(error: unknown) => void} options.fail called once, until drawing works again
 */
export function faceMap({ place, step, draw, choose, moved, fail }) {
  let index = nearestStep(step);
  let centre = { ...place };
  let reported = { ...place };
  let isStarted = false;
  let frame = 0;
  /** @type {Map<string, Chunk>} */
  const chunks = new Map();
  let busy = 0;
  let isFailing = false;
  const world = element("div.world");
  const labels = {
    left: element("span.left"),
    right: element("span.right"),
    up: element("span.up"),
    down: element("span.down"),
  };
  const root = element(
    "div.map",
    {
      tabindex: 0,
      role: "application",
      "aria-label":
        "Map of faces: drag or use the arrow keys to move, plus and minus to zoom, Enter to edit the face in the middle",
    },
    world,
    element("div.here", { "aria-hidden": "true" }),
    ...Object.values(labels),
  );
  const side = () => (root.clientWidth < 560 ? 80 : 112);
  const unit = () => STEPS[index];
  const observer = new ResizeObserver(() => update());
  observer.observe(root);

  /** Place the chunks, and ask for those that are missing. */
  function update() {
    if (!isStarted || !root.isConnected) return;
    const size = side() * CHUNK;
    const x = (centre.x / unit() + 0.5) * side();
    const y = (-centre.y / unit() + 0.5) * side();
    const left = root.clientWidth / 2 - x;
    const top = root.clientHeight / 2 - y;
    const visible = new Set();
    for (let column = Math.floor(-left / size); column * size + left < root.clientWidth; column++)
      for (let row = Math.floor(-top / size); row * size + top < root.clientHeight; row++) {
        const key = `${column},${row}`;
        visible.add(key);
        const chunk = chunks.get(key) ?? newChunk(key);
        chunks.delete(key);
        chunks.set(key, chunk); // the latest ones are last
      }
    for (const [key, { state }] of chunks)
      if (!visible.has(key) && (state === "new" || chunks.size > KEPT)) drop(key);
    for (const [key, chunk] of chunks) {
      const [column, row] = key.split(",").map(Number);
      chunk.root.style.width = chunk.root.style.height = `${size}px`;
      chunk.root.style.transform = `translate(${column * size + left}px, ${row * size + top}px)`;
    }
    request();
  }
  /** @param {string} key */
  function newChunk(key) {
    const root = element("div.chunk");
    world.append(root);
    /** @type {Chunk} */
    const chunk = { root, url: null, state: "new" };
    chunks.set(key, chunk);
    return chunk;
  }
  /** @param {string} key */
  function drop(key) {
    const chunk = chunks.get(key);
    chunk?.root.remove();
    revokeLater(chunk?.url);
    chunks.delete(key);
  }
  /** Draw the missing chunks, those in the middle first. */
  function request() {
    const missing = [...chunks].filter(([, { state }]) => state === "new");
    const middle = { x: centre.x / unit() / CHUNK - 0.5, y: -centre.y / unit() / CHUNK - 0.5 };
    const distance = (/** @type {string} */ key) => {
      const [column, row] = key.split(",").map(Number);
      return Math.hypot(column - middle.x, row - middle.y);
    };
    missing.sort(([a], [b]) => distance(a) - distance(b));
    for (const [key, chunk] of missing.slice(0, PARALLEL - busy)) load(key, chunk);
  }
  /**
   * @param {string} key
   * @param {Chunk} chunk
   */
  async function load(key, chunk) {
    chunk.state = "busy";
    busy += 1;
    try {
      const blob = await draw(placesOf(key), CHUNK);
      isFailing = false;
      if (chunks.get(key) === chunk) {
        chunk.url = URL.createObjectURL(blob);
        chunk.root.style.backgroundImage = `url(${chunk.url})`;
        chunk.root.classList.add("painted");
        chunk.state = "done";
      }
    } catch (error) {
      if (!isFailing) fail(error);
      isFailing = true;
      await new Promise((done) => setTimeout(done, 1000 * RETRY_SECONDS));
      chunk.state = "new";
    }
    busy -= 1;
    if (root.isConnected) request();
  }
  /** @param {string} key */
  function placesOf(key) {
    const [column, row] = key.split(",").map(Number);
    return Array.from({ length: CHUNK * CHUNK }, (_, number) => ({
      x: (column * CHUNK + (number % CHUNK)) * unit(),
      y: -(row * CHUNK + Math.floor(number / CHUNK)) * unit(),
    }));
  }
  /** @param {Place} next */
  function moveTo(next) {
    centre = next;
    update();
    const { x, y } = nearest(centre);
    if (x !== reported.x || y !== reported.y) report();
  }
  function report() {
    reported = nearest(centre);
    moved(reported);
  }
  /** @param {Place} at */
  const nearest = (at) => ({
    x: Math.round(at.x / unit()) * unit() || 0,
    y: Math.round(at.y / unit()) * unit() || 0,
  });
  /**
   * @param {number} columns faces to the right
   * @param {number} rows faces up
   */
  const moveBy = (columns, rows) =>
    moveTo({ x: centre.x + columns * unit(), y: centre.y + rows * unit() });

  function clear() {
    for (const key of [...chunks.keys()]) drop(key);
    update();
  }
  /** @param {number} change of the index of the step */
  function zoom(change) {
    const next = Math.min(STEPS.length - 1, Math.max(0, index + change));
    if (next === index) return;
    index = next;
    clear();
    report();
  }
  function drift() {
    if (frame) {
      stop();
      return false;
    }
    let before = performance.now();
    const move = (/** @type {number} */ now) => {
      const seconds = Math.min(0.1, (now - before) / 1000);
      before = now;
      const angle = now / 9000;
      moveBy(DRIFT * seconds * Math.cos(angle), DRIFT * seconds * Math.sin(1.7 * angle));
      frame = requestAnimationFrame(move);
    };
    frame = requestAnimationFrame(move);
    return true;
  }
  function stop() {
    cancelAnimationFrame(frame);
    frame = 0;
  }
  listen(root, { moveBy, zoom, choose: () => choose(nearest(centre)), side, chooseAt });
  /**
   * @param {number} x in the window of the map, px
   * @param {number} y
   */
  function chooseAt(x, y) {
    const columns = (x - root.clientWidth / 2) / side();
    const rows = (root.clientHeight / 2 - y) / side();
    choose(nearest({ x: centre.x + columns * unit(), y: centre.y + rows * unit() }));
  }
  return {
    root,
    clear,
    zoom,
    drift,
    moveTo,
    step: unit,
    start() {
      isStarted = true;
      update();
    },
    /** @param {Partial<Record<keyof typeof labels, string | null>>} texts */
    label(texts) {
      for (const [name, label] of Object.entries(labels))
        label.textContent = texts[/** @type {keyof typeof labels} */ (name)] ?? "";
    },
    leave() {
      stop();
      observer.disconnect();
      for (const key of [...chunks.keys()]) drop(key);
    },
  };
}

/** @param {number} step */
function nearestStep(step) {
  const distances = STEPS.map((one) => Math.abs(Math.log(one / (step > 0 ? step : 1))));
  return distances.indexOf(Math.min(...distances));
}

/**
 * @param {HTMLElement} root
 * @param {object} actions
 * @param {(columns: number, rows: number) => void} actions.moveBy
 * @param {(change: number) => void} actions.zoom
 * @param {() => void} actions.choose
 * @param {() => number} actions.side
 * @param {(x: number, y: number) => void} actions.chooseAt
 */
function listen(root, { moveBy, zoom, choose, side, chooseAt }) {
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowLeft: () => moveBy(-1, 0),
    ArrowRight: () => moveBy(1, 0),
    ArrowUp: () => moveBy(0, 1),
    ArrowDown: () => moveBy(0, -1),
    "+": () => zoom(-1),
    "=": () => zoom(-1),
    "-": () => zoom(1),
    Enter: choose,
  };
  root.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
  let turned = 0;
  root.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      turned += event.deltaY;
      if (Math.abs(turned) < WHEEL) return;
      zoom(Math.sign(turned));
      turned = 0;
    },
    { passive: false },
  );
  listenToPointers(root, { moveBy, zoom, side, chooseAt });
}

/**
 * @param {HTMLElement} root
 * @param {object} actions
 * @param {(columns: number, rows: number) => void} actions.moveBy
 * @param {(change: number) => void} actions.zoom
 * @param {() => number} actions.side
 * @param {(x: number, y: number) => void} actions.chooseAt
 */
function listenToPointers(root, { moveBy, zoom, side, chooseAt }) {
  /** @type {Map<number, { x: number, y: number }>} */
  const pointers = new Map();
  let travelled = 0;
  let spread = 0;
  const distance = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  root.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    root.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.size === 1) travelled = 0;
    if (pointers.size === 2) spread = distance();
  });
  root.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const [across, down] = [event.clientX - before.x, event.clientY - before.y];
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    travelled += Math.hypot(across, down);
    if (pointers.size === 1 && travelled > CLICK) moveBy(-across / side(), down / side());
    if (pointers.size !== 2) return;
    const ratio = distance() / spread;
    if (ratio < 1.4 && ratio > 0.7) return;
    zoom(ratio > 1 ? -1 : 1);
    spread = distance();
  });
  const end = (/** @type {PointerEvent} */ event) => {
    if (!pointers.delete(event.pointerId)) return;
    const isClick = event.type === "pointerup" && travelled <= CLICK && !pointers.size;
    const { left, top } = root.getBoundingClientRect();
    if (isClick) chooseAt(event.clientX - left, event.clientY - top);
  };
  root.addEventListener("pointerup", end);
  root.addEventListener("pointercancel", end);
}
