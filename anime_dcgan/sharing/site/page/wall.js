// @ts-check
/** The wall: an endless grid of the faces of consecutive seeds. */

const CHUNK = 48;
const TILES_AT_ONCE = 8;

class Wall {
  /** @param {Engine} engine */
  constructor(engine) {
    this.engine = engine;
    this.grid = byId("wall");
    this.observer = new IntersectionObserver(([entry]) => entry.isIntersecting && this.grow(), {
      rootMargin: "600px",
    });
    moveFocusByArrows(this.grid);
    this.settings = faceOfSeed(0);
    this.first = 0;
    this.count = 0;
  }

  /**
   * Begin at a seed, with the settings of a face.
   *
   * @param {Face} settings
   * @param {number} seed
   */
  start(settings, seed) {
    this.settings = settings;
    this.first = seed;
    this.count = 0;
    this.grid.replaceChildren();
  }

  /** Add faces whenever the end of the wall is near. */
  watch() {
    this.observer.observe(byId("end"));
  }

  async grow() {
    const end = byId("end");
    this.observer.unobserve(end);
    await this.add(CHUNK);
    this.observer.observe(end); // reports at once if it is still near
  }

  /** @param {number} count */
  async add(count) {
    const { settings, first } = this;
    const faces = Array.from({ length: count }, (_, index) =>
      faceOfSeed(first + this.count + index, settings),
    );
    this.count += count;
    const tiles = faces.map(makeTile);
    addTiles(this.grid, tiles);
    for (let index = 0; index < count && settings === this.settings; index += TILES_AT_ONCE) {
      const pictures = await this.engine.draw(faces.slice(index, index + TILES_AT_ONCE));
      pictures.forEach((picture, offset) => paintTile(tiles[index + offset], picture));
    }
  }
}
