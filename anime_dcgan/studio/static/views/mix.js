/** Mixing: what lies between parents, what they have in common, and what children they have. */

import { blend, breed, keep, mix } from "../state/api.js";
import { button, counted, element, range, release } from "../ui/dom.js";
import { fromQuery, nameOf, pictureOf, randomSeed, toQuery } from "../state/face.js";
import { learn, toggleFavourite } from "../state/favourites.js";
import { liveImage } from "./edit.js";
import { latestOnly } from "../state/scheduling.js";
import { announce, say, sayError } from "../ui/notice.js";
import { go, link, note, replace } from "../state/router.js";
import { keepMarked, paintFaces, tile, walkable } from "../ui/tiles.js";
import { mixWords, toggleTray, tray } from "../state/selection.js";
import { onFocused } from "./wall.js";

const MOST = 8;

/** The parents that the words of an address name. */
export function parentsOf(words) {
  return (words.parents ?? "").split(" ").filter(Boolean).map(fromQuery);
}

/** @see router.start */
export function mixView(place) {
  let sections = [];
  const leave = () => sections.forEach((one) => one.leave());
  return {
    title: "Mix",
    update(words) {
      leave();
      const parents = parentsOf(words).slice(0, MOST);
      if (!parents.length && tray().length) return replace("mix", mixWords(tray().slice(0, MOST)));
      sections = parents.length ? [blending(parents), inBetween(parents), children(parents, words)].filter(Boolean) : [];
      place.replaceChildren(element("h1", {}, "Mix"), ...(parents.length ? sections.map((one) => one.root) : [howTo()]));
    },
    leave,
    keys: {
      f: () => onFocused((one) => toggleFavourite(one.face)),
      " ": () => onFocused((one) => toggleTray(one.face)),
    },
  };
}

function howTo() {
  return element(
    "div.empty", {}, element("h2", {}, "Choose parents first"),
    element("p", {}, "On the wall, Space or Shift and a click chooses a face. Two or more of them can be mixed; one alone has children as well."),
    element("a.button.primary", { href: "#/wall" }, "To the wall"),
  );
}

/** The parents, each with its share, and the face that these shares make. */
function blending(parents) {
  const shares = parents.map(() => 1);
  const image = element("img", { alt: "The mixture" });
  const live = liveImage(image);
  let mixture = parents[0];
  const ask = latestOnly(
    () => (shares.some(Boolean) ? blend(parents, shares) : { face: parents[0] }),
    ({ face }) => ((mixture = face), live.show(face)),
    sayError,
  );
  const one = (face, index) => element(
    "div.parent", {}, element("a", { href: link("face", toQuery(face)) }, element("img", { src: pictureOf(face), alt: nameOf(face) })),
    parents.length > 1 && element("input", {
      type: "range", min: 0, max: 1, step: 0.02, value: 1, "aria-label": `Share of ${nameOf(face)}`,
      oninput: (event) => ((shares[index] = Number(event.target.value)), ask()),
    }),
  );
  const act = element(
    "div.actions", {}, button("Keep", () => keepChild(mixture, parents, "mix", shares).then(told, sayError)),
    button("Choose", () => toggleTray(mixture)), button("Edit", () => go("edit", toQuery(mixture))),
  );
  const result = parents.length > 1 && element("div.parent.result", {}, image, act);
  if (parents.length > 1) ask();
  const row = element("div.parents", {}, ...parents.map(one), result);
  const root = element("section", { "aria-label": "Parents" }, element("h2", {}, "Parents"), row);
  return { root, leave: live.leave };
}

/** A strip of faces that leads from parent to parent. */
function inBetween(parents) {
  if (parents.length < 2) return null;
  const strip = litter("In between");
  const ask = latestOnly((steps) => mix(parents, steps), ({ faces }) => strip.show(faces), sayError);
  const steps = range("Steps", { min: 2, max: 32, step: 1, value: 7, oninput: (value) => ask(value) });
  ask(7);
  const film = button("Make a film of it", () => go("film", mixWords(parents)));
  const root = element("section", {}, element("div.head", {}, element("h2", {}, "In between"), steps, film), strip.root);
  return { root, leave: strip.leave };
}

/** Children of the parents; those that are chosen are kept, and can be the next parents. */
function children(parents, words) {
  const made = litter("Children", (face) => toggle(face));
  const chosen = new Map();
  const wish = { variation: Number(words.variation ?? 0.3), children: Number(words.children ?? 24), seed: Number(words.litter ?? 1) };
  const ask = latestOnly((now) => breed({ parents, ...now }), ({ faces }) => made.show(faces), sayError);
  const again = (changes) => {
    Object.assign(wish, changes);
    note("mix", { ...mixWords(parents), variation: wish.variation, children: wish.children, litter: wish.seed });
    ask({ ...wish });
  };
  const onward = button("", () => go("mix", { ...mixWords([...chosen.values()]), variation: wish.variation }), { class: "primary" });

  async function toggle(face) {
    const key = toQuery(face);
    if (chosen.delete(key)) return render();
    if (chosen.size >= MOST) return say(`There are at most ${MOST} parents.`);
    chosen.set(key, face);
    render();
    await keepChild(face, parents, "breed").catch(sayError);
  }
  function render() {
    for (const one of made.root.querySelectorAll(".tile")) one.setAttribute("aria-pressed", chosen.has(toQuery(one.face)));
    onward.hidden = !chosen.size;
    onward.textContent = `Breed on with ${chosen.size}`;
    announce(counted(chosen.size, "face") + " kept as the next parents");
  }
  const controls = [
    range("Variation", {
      min: 0, max: 1, step: 0.05, value: wish.variation, format: (value) => value.toFixed(2),
      oninput: (variation) => again({ variation }),
    }),
    range("Children", { min: 4, max: 64, step: 4, value: wish.children, onchange: (count) => again({ children: count }) }),
    button("Another litter", () => again({ seed: randomSeed() })), onward,
  ];
  onward.hidden = true;
  ask({ ...wish });
  const hint = element("p.quiet", {}, "A click keeps a child and makes it one of the next parents; the back button leads to the generation before.");
  const root = element("section", {}, element("div.head", {}, element("h2", {}, "Children"), ...controls), hint, made.root);
  return { root, leave: made.leave };
}

/** Rows of faces that can be exchanged. */
function litter(name, onclick = (face) => go("face", toQuery(face))) {
  const root = element("div.wall", { role: "group", "aria-label": name });
  const restop = walkable(root);
  const unmark = keepMarked(root);
  let address = null;
  root.addEventListener("click", (event) => {
    const one = event.target.closest(".tile");
    if (one) event.shiftKey || event.ctrlKey ? toggleTray(one.face) : onclick(one.face);
  });
  async function show(faces) {
    const tiles = faces.map((face) => tile(face));
    const next = await paintFaces(tiles).catch(sayError);
    if (!next) return;
    root.replaceChildren(...tiles);
    restop();
    release(address);
    address = next;
  }
  return { root, show, leave: () => (unmark(), release(address)) };
}

async function keepChild(face, parents, how, shares = parents.map(() => 1)) {
  const sum = shares.reduce((one, other) => one + other, 0) || 1;
  const kept = await keep({ face, how, parents: parents.map((parent, index) => ({ face: parent, share: shares[index] / sum })) });
  learn(kept);
  return kept;
}

function told(kept) {
  say("It is kept.", { action: ["Its family", () => go("family", { kept: kept.id })] });
}
