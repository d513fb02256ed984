// @ts-check
/** Map: an endless plane of faces along two directions, with one face in its middle. */

import { getSketches } from "../state/api.js";
import { fromQuery, generatorOf, toQuery } from "../state/face.js";
import { resolveFace } from "../state/generators.js";
import { isAbort } from "../state/errors.js";
import { notifyError } from "../state/messages.js";
import { go, goBack, link, replace, updateAddress } from "../state/router.js";
import { debounced } from "../state/scheduling.js";
import { watchDirections } from "../ui/direction-names.js";
import { button, element } from "../ui/dom.js";
import { dropdown, labelled } from "../ui/fields.js";
import { faceMap } from "../ui/face-map.js";
import { faceAt, fold, isTurned, strongestFirst } from "../state/plane.js";

/** @import { Direction, Face, Params, View } from "../state/types.d.ts" */

const DIRECTIONS = 10;
const MEASURING = "Measuring what each slider changes";
const SAVE_PAUSE = 300; // ms
const MAX_DISTANCE = 1e6; // from the face in the middle, in steps

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function mapView(container) {
  let controller = new AbortController();
  /** @type {ReturnType<typeof startMap> | null} */
  let map = null;
  /** @type {View} */
  const view = {
    title: "Map",
    async update(params) {
      if (map?.isAt(params)) return;
      view.leave?.();
      controller = new AbortController();
      const { signal } = controller;
      const given = fromQuery(params);
      const face = await resolveFace(given, signal).catch(notifyError);
      if (signal.aborted || face === undefined) return;
      if (!face) return replace("face", toQuery(given)); // which shows its stored picture
      map = startMap(container, face, params, signal);
      view.keys = { Escape: map.back };
    },
    leave() {
      controller.abort();
      map?.leave();
      map = null;
    },
  };
  return view;
}

/**
 * @param {HTMLElement} container
 * @param {Face} face
 * @param {Params} params
 * @param {AbortSignal} signal
 */
function startMap(container, face, params, signal) {
  /** @type {Direction[]} */
  let directions = [];
  const axes = { x: params.x ?? "", y: params.y ?? "" };
  const place = { x: toCoordinate(params.px), y: toCoordinate(params.py) };
  const bar = element("div.bar", { role: "group", "aria-label": "Map" });
  const legend = element("p.legend", { role: "status" });
  /** @param {{ x: number, y: number }} at */
  const faceOf = (at) => faceAt(face, directions, axes, at);
  const save = debounced(() => updateAddress("map", query()), SAVE_PAUSE);
  const map = faceMap({
    place,
    step: Number(params.step ?? 1),
    draw: (places, columns) => getSketches(places.map(faceOf), columns, signal),
    choose: edit,
    moved: (at) => {
      Object.assign(place, at);
      showNames();
      save();
    },
    fail: (error) => {
      if (!isAbort(error)) notifyError(error);
    },
  });
  const position = () => ({
    ...axes,
    px: place.x.toFixed(2),
    py: place.y.toFixed(2),
    step: String(map.step()),
  });
  const query = () => ({
    ...Object.fromEntries(new URLSearchParams(toQuery(face))),
    ...position(),
  });
  /** @param {{ x: number, y: number }} at */
  function edit(at) {
    save.flush();
    go("edit", toQuery(faceOf(at)));
  }
  function back() {
    save.flush();
    goBack(link("edit", toQuery(face)));
  }

  /** @param {string} id */
  const find = (id) => directions.find((one) => one.id === id);
  /** Choose the strongest directions for axes that the address does not name. */
  function chooseAxes() {
    const ids = strongestFirst(directions).map(({ id }) => id);
    if (!find(axes.x)) axes.x = ids.find((id) => id !== axes.y) ?? ids[0] ?? "";
    if (!find(axes.y)) axes.y = ids.find((id) => id !== axes.x) ?? ids[0] ?? "";
  }
  function showLegend() {
    const parts = ["x", "y"].map((axis) => {
      const direction = find(axes[/** @type {"x" | "y"} */ (axis)]);
      const steps = fold(place[/** @type {"x" | "y"} */ (axis)]);
      if (!direction || Math.abs(steps) < 0.05) return null;
      const text = steps > 0 ? direction.name : (direction.opposite ?? `less ${direction.name}`);
      return `${text} ${Math.abs(steps).toFixed(1)}`;
    });
    legend.textContent = parts.filter(Boolean).join(", ") || "the face from which you started";
  }
  /**
   * Return what changes to the right and to the left, or up and down.
   *
   * @param {"x" | "y"} axis
   */
  function ends(axis) {
    const direction = find(axes[axis]);
    const texts = [direction?.name, direction?.opposite];
    return isTurned(place[axis]) ? texts.reverse() : texts;
  }
  function showNames() {
    const [right, left] = ends("x");
    const [up, down] = ends("y");
    map.label({ right, left, up, down });
    showLegend();
  }
  function showBar() {
    /** @param {"x" | "y"} axis */
    const choice = (axis) => {
      /** @type {[string, string][]} */
      const options = directions.map(({ id, name, opposite }) => [
        id,
        opposite ? `${opposite} – ${name}` : name,
      ]);
      return dropdown(options, axes[axis], (id) => {
        axes[axis] = id;
        map.clear();
        showNames();
        updateAddress("map", query());
      });
    };
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const drift = button("Drift", () => drift.setAttribute("aria-pressed", String(map.drift())), {
      "aria-pressed": "false",
      title: "Wander slowly over the map",
    });
    bar.replaceChildren(
      button("Back", back),
      labelled("Across", choice("x")),
      labelled("Up", choice("y")),
      button("−", () => map.zoom(1), { "aria-label": "Larger steps between faces" }),
      button("+", () => map.zoom(-1), { "aria-label": "Smaller steps between faces" }),
      button("Start", () => map.moveTo({ x: 0, y: 0 }), {
        title: "Back to the face from which you started",
      }),
      ...(isStill ? [] : [drift]),
      button("Edit this face", () => edit(place), { class: "primary" }),
    );
  }
  const request = { method: "sefa", count: DIRECTIONS };
  watchDirections(generatorOf(face), request, signal, (found) => {
    legend.textContent = `${MEASURING}: ${Math.floor(100 * found.progress)} %`;
    if (found.progress < 1) return;
    directions = found.directions;
    chooseAxes();
    showBar();
    showNames();
    updateAddress("map", query());
    map.start();
  }).catch((error) => {
    if (isAbort(error)) return;
    legend.textContent = "";
    notifyError(error);
  });
  legend.textContent = `${MEASURING} …`;
  bar.append(button("Back", back));
  container.replaceChildren(element("h1.hidden-heading", {}, "Map"), bar, legend, map.root);
  return {
    back,
    /** @param {Params} other */
    isAt: (other) =>
      toQuery(fromQuery(other)) === toQuery(face) &&
      Object.entries(position()).every(([name, value]) => other[name] === value),
    leave() {
      save.cancel(); // the address is already that of another view
      map.leave();
    },
  };
}

/**
 * Return a coordinate from an address; 0 if it is not a number, or too far to be reached.
 *
 * @param {string | undefined} text
 */
function toCoordinate(text) {
  const value = Number(text ?? 0);
  return Math.abs(value) <= MAX_DISTANCE ? value : 0;
}
