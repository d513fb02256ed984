// @ts-check
/** The large face: shown, changed, and moved to from the one before. */

const MORPH_SECONDS = 0.5;

class Stage {
  /** @param {Engine} engine */
  constructor(engine) {
    this.engine = engine;
    this.canvas = /** @type {HTMLCanvasElement} */ (byId("picture"));
    /** @type {Face | null} */
    this.face = null;
    /** The face whose picture is on the canvas. */
    this.painted = /** @type {Face | null} */ (null);
    this.isDrawing = false;
  }

  /**
   * Show a face; a morph leads to it from the one before, unless the visitor wants no motion.
   *
   * @param {Face} face
   * @param {boolean} [morphs]
   */
  async show(face, morphs = true) {
    this.face = face;
    const name = describe(face).replace(/^./, (letter) => letter.toUpperCase());
    byId("name").textContent = name;
    this.canvas.setAttribute("aria-label", name);
    this.canvas.removeAttribute("data-face");
    if (this.isDrawing) return; // the loop below will see the new face
    this.isDrawing = true;
    try {
      while (this.painted !== this.face) await this.drawNext(morphs);
    } finally {
      this.isDrawing = false;
    }
  }

  /** @param {boolean} morphs */
  async drawNext(morphs) {
    const [from, to] = [this.painted, /** @type {Face} */ (this.face)];
    if (morphs && from && !prefersStillness()) await this.morph(from, to);
    if (to !== this.face) return;
    await this.paint(to);
    this.painted = to;
    this.canvas.dataset.face = toHash(to);
  }

  /** @param {Face} face */
  async paint(face) {
    const [picture] = await this.engine.draw([face], true);
    paint(this.canvas, picture);
  }

  /**
   * @param {Face} from
   * @param {Face} to
   */
  async morph(from, to) {
    const start = performance.now();
    while (to === this.face) {
      const share = (performance.now() - start) / (1000 * MORPH_SECONDS);
      if (share >= 1) return;
      const face = between(from, to, (1 - Math.cos(Math.PI * share)) / 2);
      await this.paint(face);
      this.painted = face;
      await nextFrame();
    }
  }
}

/** @returns {Promise<unknown>} */
const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
