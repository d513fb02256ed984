// @ts-check
/** The page: what its buttons, its keys and its address do. */

const FILM_FACES = 5;

class Page {
  /** @param {Engine} engine */
  constructor(engine) {
    this.engine = engine;
    this.stage = new Stage(engine);
    this.wall = new Wall(engine);
    this.family = new Family(engine);
    this.editor = new Editor((changes) => this.edit(changes));
  }

  /** @returns {Face} */
  get face() {
    return /** @type {Face} */ (this.stage.face);
  }

  async start() {
    /** @type {HTMLDetailsElement} */ (byId("edit")).open = innerWidth > 928;
    const face = fromHash(location.hash) ?? faceOfSeed(randomSeed());
    history.replaceState(null, "", toHash(face));
    this.editor.set(face);
    await this.stage.show(face);
    document.body.classList.add("ready");
    performance.mark("first-face");
    this.wall.start(face, face.seed === undefined ? randomSeed() : face.seed + 1);
    this.family.remember(face, true);
    this.wall.watch();
    addEventListener("hashchange", () => this.follow());
    document.addEventListener("click", (event) => this.clickTile(event));
    this.addActions();
  }

  /** Show the face of the address. */
  follow() {
    const face = fromHash(location.hash);
    if (!face || toHash(face) === toHash(this.face)) return;
    this.editor.set(face);
    this.stage.show(face);
    this.family.remember(face, true);
  }

  /**
   * Go to a face, which becomes an entry of the browser's history.
   *
   * @param {Face} face
   */
  open(face) {
    location.hash = toHash(face);
  }

  /** @param {Partial<Face>} changes */
  edit(changes) {
    const face = { ...this.face, ...changes };
    history.replaceState(null, "", toHash(face));
    this.editor.set(face);
    this.stage.show(face, false);
    clearTimeout(this.settled);
    this.settled = setTimeout(() => this.family.remember(face, false), 400);
    if ("truncation" in changes || "label" in changes) this.restartWall(face);
  }

  /**
   * Draw the wall again with the truncation and label of a face, once they stay the same.
   *
   * @param {Face} face
   */
  restartWall({ truncation, label }) {
    clearTimeout(this.restarting);
    this.restarting = setTimeout(() => {
      this.wall.start({ truncation, label, moves: {} }, this.wall.first);
      this.wall.grow();
    }, 300);
  }

  /**
   * Breed with the face of a tile, if a partner is to be chosen; else the link is followed.
   *
   * @param {MouseEvent} event
   */
  clickTile(event) {
    const { target } = event;
    const tile = target instanceof Element && target.closest(".tile");
    if (!(tile instanceof HTMLAnchorElement)) return;
    const face = fromHash(tile.hash);
    if (this.family.parent && face) {
      event.preventDefault();
      this.breed(this.family.parent, face);
    } else scrollTo({ top: 0, behavior: prefersStillness() ? "auto" : "smooth" });
  }

  /**
   * @param {Face} a
   * @param {Face} b
   */
  breed(a, b) {
    byId("litter").scrollIntoView({ block: "nearest" });
    this.family.breed(a, b).catch(report);
    const first = this.family.children.querySelector(".tile");
    if (first instanceof HTMLElement) first.focus({ preventScroll: true });
  }

  addActions() {
    /** @type {[string, string, () => unknown][]} */
    const actions = [
      ["new", "n", () => this.open(faceOfSeed(randomSeed(), { ...this.face, moves: {} }))],
      ["breed", "b", () => this.family.choose(this.family.parent ? null : this.face)],
      ["link", "l", () => this.copyLink()],
      ["png", "p", () => this.savePicture()],
      ["film", "f", () => this.makeFilm()],
      ["theme", "t", toggleTheme],
      ["info", "?", () => /** @type {HTMLDialogElement} */ (byId("about")).showModal()],
    ];
    for (const [id, , act] of actions) byId(id).addEventListener("click", () => act());
    byId("picture").addEventListener("click", () => byId("new").click());
    addEventListener("keydown", (event) => {
      const { target, key, ctrlKey, metaKey, altKey } = event;
      if (ctrlKey || metaKey || altKey || (target instanceof Element && isUsed(target, key)))
        return;
      if (key === "ArrowLeft" || key === "ArrowRight") this.step(key === "ArrowLeft" ? -1 : 1);
      else if (key === "Escape") this.family.choose(null);
      else {
        const action = actions.find(([, letter]) => letter === (key === " " ? "n" : key));
        if (!action) return;
        action[2]();
      }
      event.preventDefault();
    });
    byId("film").hidden = !filmType();
  }

  /**
   * Show the face of a neighbouring seed.
   *
   * @param {number} step
   */
  step(step) {
    const { seed } = this.face;
    if (seed !== undefined && seed + step >= 0) this.open(faceOfSeed(seed + step, this.face));
  }

  async copyLink() {
    try {
      await navigator.clipboard.writeText(location.href);
      announce("The link to this face is copied.");
    } catch {
      announce("The address of this page is the link to this face.");
    }
  }

  async savePicture() {
    const canvas = make("canvas");
    const [picture] = await this.engine.draw([this.face], true);
    paint(canvas, picture);
    canvas.toBlob((blob) => blob && saveBlob(blob, `${fileName(this.face)}.png`));
  }

  async makeFilm() {
    const type = filmType();
    const button = /** @type {HTMLButtonElement} */ (byId("film"));
    if (!type || button.disabled) return;
    button.disabled = true;
    try {
      const film = await recordFilm(this.engine, this.filmFaces(), type, (fraction) => {
        button.textContent = `${Math.round(100 * fraction)} %`;
      });
      saveBlob(film, `${fileName(this.face)}.${type.includes("mp4") ? "mp4" : "webm"}`);
      announce("The film is saved.");
    } catch (error) {
      report(error);
    } finally {
      button.disabled = false;
      button.textContent = "Film";
    }
  }

  /** Return the faces that were shown last, or those that follow this one. */
  filmFaces() {
    const shown = this.family.faces.slice(-FILM_FACES);
    if (shown.length > 1) return shown;
    const seed = this.face.seed ?? 0;
    return [this.face, ...[1, 2, 3].map((step) => faceOfSeed(seed + step, this.face))];
  }
}

/**
 * Return true if an element uses a key itself.
 *
 * @param {Element} target
 * @param {string} key
 */
function isUsed(target, key) {
  if (document.querySelector("dialog[open]")) return true;
  if (target.matches("select, input")) return true;
  return target.matches("button, a, summary") && (key === " " || key === "Enter");
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function saveBlob(blob, name) {
  const address = URL.createObjectURL(blob);
  save(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function toggleTheme() {
  const { dataset } = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  dataset.theme = (dataset.theme ?? system) === "dark" ? "light" : "dark";
}

/** @param {unknown} error */
function report(error) {
  const text = error instanceof Error ? error.message : String(error);
  byId("name").textContent = "This browser could not draw a face";
  announce(text);
}

/** Keep a copy of the site for visits without a network. */
function keepOffline(/** @type {Backend} */ backend) {
  if (location.protocol === "file:" || !("serviceWorker" in navigator)) return;
  navigator.serviceWorker.register(`sw.js?${backend}`).catch(() => {}); // it also works without
}

openEngine()
  .then(async (engine) => {
    await new Page(engine).start();
    keepOffline(engine.backend);
  })
  .catch(report);
