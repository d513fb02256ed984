// @ts-check
/** Sliders of truncation and directions, and the list of labels. */

class Editor {
  /** @param {(face: Partial<Face>) => void} change */
  constructor(change) {
    this.change = change;
    /** @type {Record<string, number>} */
    this.moves = {};
    this.truncation = this.addSlider("typical", "varied", { min: 0, max: 1, step: 0.01 }, (value) =>
      change({ truncation: value }),
    );
    this.sliders = SITE.directions.map(({ id, left, right }) => {
      const input = this.addSlider(left, right, { min: -4, max: 4, step: 0.1 }, (value) => {
        this.moves = { ...this.moves, [id]: value };
        change({ moves: this.moves });
      });
      return { id, input };
    });
    this.labels = SITE.labels.length ? this.addLabels() : null;
    byId("reset").addEventListener("click", () => change({ truncation: 1, moves: {} }));
  }

  /**
   * @param {string} left what the left end changes
   * @param {string} right
   * @param {{ min: number, max: number, step: number }} range
   * @param {(value: number) => void} change
   */
  addSlider(left, right, range, change) {
    const input = make("input", { type: "range", ...range });
    const neutral = range.min < 0 ? 0 : range.max;
    input.value = String(neutral);
    input.addEventListener("input", () => change(Number(input.value)));
    input.addEventListener("dblclick", () => change(neutral));
    input.setAttribute("aria-label", left ? `${left} to ${right}` : right);
    const ends = make(
      "span",
      { className: "ends" },
      make("span", {}, left),
      make("span", {}, right),
    );
    byId("sliders").append(make("label", { className: "slider" }, ends, input));
    return input;
  }

  addLabels() {
    const options = SITE.labels.map((name) => make("option", { value: name }, name));
    const select = make("select", {}, ...options);
    select.addEventListener("change", () => this.change({ label: select.value }));
    byId("sliders").prepend(
      make("label", { className: "slider" }, make("span", { className: "ends" }, "kind"), select),
    );
    return select;
  }

  /** @param {Face} face */
  set({ truncation, moves, label }) {
    this.moves = moves;
    this.truncation.value = String(truncation);
    for (const { id, input } of this.sliders) input.value = String(moves[id] ?? 0);
    if (this.labels) this.labels.value = label ?? "";
    byId("reset").hidden = truncation === 1 && !Object.values(moves).some(Boolean);
  }
}
