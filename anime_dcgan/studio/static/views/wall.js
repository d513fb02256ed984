/** The wall: faces without end, one seed after the other. */

import { drawAhead, takeNext } from "../state/prefetch.js";
import { makeZip, wallPicture } from "../state/api.js";
import { button, choice, counted, element, labelled, menu, numberBox, range, release } from "../ui/dom.js";
import { LAST_SEED, generatorOf, toQuery } from "../state/face.js";
import { toggleFavourite } from "../state/favourites.js";
import { addJob } from "../state/jobs.js";
import { sayError } from "../ui/notice.js";
import { generatorPicker } from "../ui/generator-picker.js";
import { go, link, replace } from "../state/router.js";
import { RENDERINGS, SIDES, change, setting } from "../state/settings.js";
import { epochText, runNamed } from "../state/runs.js";
import { COLUMNS, focusFace, keepMarked, seedTiles, walkable } from "../ui/tiles.js";
import { toggleTray } from "../state/selection.js";

const CHUNK = 64;
const AT_A_TIME = 16; // the first faces are there while the next ones are drawn
const REST = 600; // ms until the next wall is drawn ahead
const COUNTS = [["", "Endless"], ["16", "16"], ["64", "64"], ["256", "256"], ["1024", "1024"]];
const ZIPS = [100, 1000, 10000];
const memory = { key: "", count: CHUNK, face: null, top: 0 };

/** @see router.start */
export function wallView(place, first) {
  let words = first;
  let wall = null;
  const shift = (changes) => replace("wall", { ...words, ...changes });
  const controls = wallControls(shift, () => words);
  const host = element("div.host");
  place.append(controls.bar, host);

  return {
    title: "Faces",
    update(next) {
      words = next;
      controls.set(words);
      wall?.leave();
      wall = endlessWall(host, words);
    },
    leave: () => (controls.leave(), wall?.leave()),
    keys: {
      r: () => shift({ seed: takeNext(lookOf(words)) }),
      f: () => onFocused((one) => toggleFavourite(one.face)),
      " ": () => onFocused((one) => toggleTray(one.face)),
    },
  };
}

/** Do something with the face that has the focus; false if none has. */
export function onFocused(act) {
  const one = document.activeElement;
  return one?.matches(".tile") ? (act(one), true) : false;
}

function wallControls(shift, words) {
  const picker = generatorPicker(shift);
  const seed = numberBox("Seed", 0, (value) => shift({ seed: value }), { min: 0, max: LAST_SEED, step: 1 });
  const truncation = range("Truncation", {
    min: 0, max: 1, step: 0.05, value: 1, format: (value) => value.toFixed(2),
    onchange: (value) => shift({ truncation: value === 1 ? null : value }),
  });
  const count = choice(COUNTS, "", (value) => shift({ count: value }));
  const bar = element(
    "div.bar", { role: "toolbar", "aria-label": "What the wall shows" },
    ...picker.parts, seed, button("Random", () => shift({ seed: takeNext(lookOf(words())) }), { title: "Other faces (R)" }),
    menu("Look", truncation, labelled("Faces", count), ...lookControls()),
    menu("Download", ...downloads(words)),
  );
  const set = (next) => {
    picker.set(next);
    seed.querySelector("input").value = next.seed;
    truncation.set(next.truncation ?? 1);
    count.value = next.count ?? "";
  };
  return { bar, set, leave: picker.leave };
}

/** Size and rendering of faces, wherever they are in rows. */
export function lookControls() {
  const size = (side) => change({ side });
  return [
    range("Size", { ...SIDES, value: setting("side"), format: (value) => `${value} px`, oninput: size }),
    labelled("Enlarge by", choice(RENDERINGS, setting("rendering"), (rendering) => change({ rendering }), { title: "S" })),
  ];
}

function downloads(words) {
  const grid = (count) => wallPicture(words(), words().seed, count, count === 64 ? 8 : 16);
  const picture = (count) => element(
    "a.button", { href: "#", download: `faces-${count}.png`, onclick: (event) => (event.currentTarget.href = grid(count)) },
    `Grid of ${count}`,
  );
  const number = choice(ZIPS.map((count) => [count, counted(count, "face")]), 100, () => {});
  const zip = () => zipJob({ ...faceWords(words()), seed: Number(words().seed), count: Number(number.value) });
  return [picture(64), picture(256), labelled("Zip of", number), button("Make the zip", zip)];
}

function faceWords(words) {
  return { ...generatorOf(words), truncation: Number(words.truncation ?? 1), moves: {} };
}

async function zipJob(wish) {
  try {
    addJob(await makeZip(wish), `Zip of ${counted(wish.count, "face")}`);
  } catch (error) {
    sayError(error);
  }
}

/** All of a wall but its seeds. */
const lookOf = (words) => wallPicture(words, "", AT_A_TIME, COLUMNS);

function drawNextWall(words, signal) {
  const starts = [...Array(CHUNK / AT_A_TIME).keys()].map((number) => number * AT_A_TIME);
  const pictures = (seed) => starts.map((start) => wallPicture(words, seed + start, AT_A_TIME, COLUMNS));
  return drawAhead(lookOf(words), pictures, signal).catch(() => {});
}

/** A wall that grows where one scrolls near its end. */
function endlessWall(host, words) {
  const abort = new AbortController();
  const addresses = [];
  const drawn = [];
  const limit = Number(words.count) || LAST_SEED + 1;
  const name = `Faces of ${words.run}, ${epochText(runNamed(words.run), words.epoch)}`;
  const tiles = element("div.wall", { role: "group", "aria-label": name });
  const end = element("p.end", {}, "");
  host.replaceChildren(tiles, end);
  tiles.addEventListener("click", (event) => openFace(event));
  const restop = walkable(tiles, () => add());
  const unmark = keepMarked(tiles);
  const key = link("", words);

  function add(wanted = CHUNK) {
    const count = Math.min(wanted, limit - tiles.childElementCount);
    for (let done = 0; done < count; done += AT_A_TIME) append(Math.min(AT_A_TIME, count - done));
    restop();
    if (tiles.childElementCount >= limit) end.textContent = counted(limit, "face");
  }
  function append(count) {
    const made = seedTiles(words, Number(words.seed) + tiles.childElementCount, count, abort.signal);
    tiles.append(...made.tiles);
    made.painted.then((address) => addresses.push(address)).catch(failed);
    drawn.push(made.painted);
  }
  function failed(error) {
    sayError(error);
    if (error.name !== "AbortError") observer.disconnect();
  }
  const observer = new IntersectionObserver(
    ([entry]) => entry.isIntersecting && whileNear(), { rootMargin: "1200px" },
  );
  function whileNear() {
    add();
    observer.unobserve(end);
    if (tiles.childElementCount < limit) requestAnimationFrame(() => observer.observe(end));
  }

  if (memory.key === key) {
    for (let count = 0; count < memory.count; count += CHUNK) add();
    requestAnimationFrame(() => (scrollTo(0, memory.top), memory.face && focusFace(tiles, memory.face)));
  }
  observer.observe(end);
  const idle = setTimeout(() => Promise.all(drawn).then(() => drawNextWall(words, abort.signal), () => {}), REST);
  return {
    leave() {
      clearTimeout(idle);
      Object.assign(memory, { key, count: tiles.childElementCount });
      abort.abort();
      observer.disconnect();
      unmark();
      addresses.forEach(release);
    },
  };
}

/** A click opens; with Shift or Control it chooses. */
function openFace(event) {
  const one = event.target.closest(".tile");
  if (!one) return;
  if (event.shiftKey || event.ctrlKey || event.metaKey) return toggleTray(one.face);
  Object.assign(memory, { face: one.face, top: scrollY });
  go("face", toQuery(one.face));
}
