// @ts-check
/** Faces that were shown, and the children of two of them. */

const CHILDREN = 8;
const MAX_TRAIL = 24;

class Family {
  /** @param {Engine} engine */
  constructor(engine) {
    this.engine = engine;
    this.trail = byId("trail");
    this.children = byId("children");
    /** @type {Face[]} */
    this.faces = [];
    /** The first parent while the second one is chosen. */
    this.parent = /** @type {Face | null} */ (null);
    moveFocusByArrows(this.trail);
    moveFocusByArrows(this.children);
  }

  /**
   * Remember a face that is shown, unless it is the latest one with other settings.
   *
   * @param {Face} face
   * @param {boolean} isNew
   */
  async remember(face, isNew) {
    if (!isNew && this.faces.length) this.forget(this.faces.length - 1);
    const old = this.faces.findIndex((known) => toHash(known) === toHash(face));
    if (old >= 0) this.forget(old);
    this.faces.push(face);
    const tile = makeTile(face);
    this.trail.append(tile);
    if (this.faces.length > MAX_TRAIL) this.forget(0);
    for (const [index, other] of [...this.trail.children].entries())
      other.setAttribute("tabindex", index === this.faces.length - 1 ? "0" : "-1");
    this.trail.scrollTo({ left: this.trail.scrollWidth });
    const [picture] = await this.engine.draw([face]);
    paintTile(tile, picture);
  }

  /** @param {number} index */
  forget(index) {
    this.faces.splice(index, 1);
    this.trail.children[index].remove();
  }

  /**
   * Wait for the second parent, or stop waiting for it.
   *
   * @param {Face | null} parent
   */
  choose(parent) {
    this.parent = parent;
    document.body.classList.toggle("choosing", parent !== null);
    byId("breed").setAttribute("aria-pressed", String(parent !== null));
    announce(parent ? "Choose another face, on the wall or among those you saw." : "");
  }

  /**
   * Show children of two faces, and return the first one.
   *
   * @param {Face} a
   * @param {Face} b
   */
  async breed(a, b) {
    this.choose(null);
    const faces = Array.from({ length: CHILDREN }, () => childOf(a, b));
    const tiles = faces.map(makeTile);
    this.children.replaceChildren();
    addTiles(this.children, tiles);
    byId("litter").hidden = false;
    byId("parents").textContent = `Children of ${describe(a)} and ${describe(b)}`;
    for (const [index, face] of faces.entries()) {
      const [picture] = await this.engine.draw([face]);
      paintTile(tiles[index], picture);
    }
  }
}
