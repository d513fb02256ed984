/** Sliders along the directions of a generator, with names that people gave them. */

import { getDirections, nameDirection } from "../state/api.js";
import { button, element } from "./dom.js";
import { announce, sayError } from "./notice.js";

const METHODS = [["sefa", "Of the weights"], ["pca", "Of the faces"]];
const STEP = 0.05;
const MORE = 10;

/**
 * @param {object} generator whose directions they are
 * @param {(id: string, step: number, rests: boolean) => void} onmove
 */
export function directionSliders(generator, onmove) {
  const abort = new AbortController();
  const sliders = new Map();
  let moves = {};
  const register = (id, slider) => (sliders.set(id, slider), slider.set(moves[id] ?? 0));
  const groups = METHODS.map(([method, title]) => group(generator, method, title, register, onmove, abort.signal));
  const root = element("div.sliders", {}, ...groups);
  return {
    root,
    set(next) {
      moves = next;
      for (const [id, slider] of sliders) slider.set(moves[id] ?? 0);
    },
    leave: () => abort.abort(),
  };
}

function group(generator, method, title, register, onmove, signal) {
  const list = element("div.slider-list");
  let count = 0;
  const more = button("More", () => load());
  const load = async () => {
    try {
      count += MORE;
      const { directions, range } = await getDirections(generator, method, count, signal);
      const fresh = directions.slice(list.childElementCount).map((one) => directionSlider(generator, one, range, onmove));
      fresh.forEach((one) => register(one.dataset.id, one));
      list.append(...fresh);
      more.hidden = directions.length < count;
    } catch (error) {
      sayError(error);
    }
  };
  load();
  return element("section", { "aria-label": title }, element("h2", {}, title), list, more);
}

function directionSlider(generator, direction, range, onmove) {
  const { id, strength } = direction;
  const shown = element("output");
  const input = element("input", { type: "range", min: -range, max: range, step: STEP, "aria-label": direction.name ?? id });
  const moved = (rests) => {
    shown.textContent = stepText(Number(input.value));
    onmove(id, Number(input.value), rests);
  };
  input.addEventListener("input", () => moved(false));
  input.addEventListener("change", () => moved(true));
  input.addEventListener("dblclick", () => ((input.value = 0), moved(true)));
  const name = nameButton(generator, direction, input);
  const made = element("div.slider", { data: { id }, title: `${(strength * 100).toFixed(1)} % of what varies` }, name, input, shown);
  made.set = (step) => ((input.value = step), (shown.textContent = stepText(step)));
  return made;
}

const stepText = (step) => (step === 0 ? "0" : `${step > 0 ? "+" : "−"}${Math.abs(step).toFixed(2)}`);

/** A name that can be changed where it stands. */
function nameButton(generator, direction, input) {
  const [method, number] = direction.id.split(".");
  const usual = `${method === "sefa" ? "SeFa" : "PCA"} ${Number(number) + 1}`;
  const made = button("", edit, { class: "name", title: "Give it a name" });
  function show(name) {
    direction.name = name;
    made.textContent = name ?? usual;
    made.classList.toggle("named", name != null);
    input.setAttribute("aria-label", made.textContent);
  }
  function edit() {
    const box = element("input", {
      type: "text", maxlength: 60, value: direction.name ?? "", placeholder: usual, "aria-label": `Name of ${usual}`,
    });
    made.replaceWith(box);
    box.focus();
    box.select();
    let ended = false; // what takes the box away also blurs it
    const end = (name) => {
      if (ended) return;
      ended = true;
      box.replaceWith(made);
      made.focus();
      if (name !== undefined) save(name);
    };
    box.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") end(box.value.trim() || null);
      if (event.key === "Escape") end(undefined);
    });
    box.addEventListener("blur", () => end(box.value.trim() || null));
  }
  async function save(name) {
    const before = direction.name;
    if (name === before) return;
    show(name);
    try {
      await nameDirection(generator, direction.id, name);
      announce("The name is saved");
    } catch (error) {
      show(before);
      sayError(error);
    }
  }
  show(direction.name ?? null);
  return made;
}
