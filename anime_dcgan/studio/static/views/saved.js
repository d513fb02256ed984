/** What was kept: favourites, collections, stories, and the search through them. */

import {
  collect, forget, importCollection, listCollections, listKept, removeCollection, renameCollection, uncollect,
} from "../state/api.js";
import { newCollection } from "../ui/collection-menu.js";
import { button, choice, counted, element, menu } from "../ui/dom.js";
import { nameOf, toQuery } from "../state/face.js";
import { learn, toggleFavourite } from "../state/favourites.js";
import { debounced } from "../state/scheduling.js";
import { say, sayError } from "../ui/notice.js";
import { go, link, replace } from "../state/router.js";
import { keepMarked, mark, walkable } from "../ui/tiles.js";
import { inTray, setTray, toggleTray, tray } from "../state/selection.js";
import { lookControls, onFocused } from "./wall.js";

const PAGE = 100;

/** @see router.start */
export function keptView(place) {
  let words = {};
  let collections = [];
  let list = null;
  const shift = (changes) => replace("kept", { ...words, ...changes });
  const search = element("input", { type: "search", placeholder: "Search stories and runs", "aria-label": "Search" });
  const later = debounced(() => shift({ text: search.value }), 250);
  search.addEventListener("input", later);
  const chips = element("nav.chips", { "aria-label": "Collections" });
  const tools = element("div.tools");
  const host = element("div.host");
  place.append(
    element(
      "div.bar", { role: "toolbar", "aria-label": "What is shown" }, search,
      menu("New collection", newCollection(({ id }) => go("kept", { collection: id }))),
      importer(), menu("Look", ...lookControls()),
    ),
    chips, tools, host,
  );
  const opened = () => collections.find(({ id }) => id === Number(words.collection));

  async function update(next) {
    words = next;
    if (document.activeElement !== search) search.value = words.text ?? "";
    list?.leave();
    list = keptList(host, words);
    await refreshCollections();
  }
  async function refreshCollections() {
    try {
      ({ collections } = await listCollections());
    } catch (error) {
      return sayError(error);
    }
    chips.replaceChildren(...chipsOf(collections, words));
    const one = opened();
    tools.replaceChildren(...(one ? collectionTools(one, refreshCollections) : []), selectionTools(collections, one, () => update(words)));
  }
  return {
    title: "Kept",
    update,
    leave: () => (later.now(), list?.leave()),
    keys: {
      f: () => onFocused((one) => toggleFavourite(one.face)),
      " ": () => onFocused((one) => toggleTray(one.face)),
      "/": () => search.focus(),
      Delete: () => onFocused((one) => forgetTwice(one, () => update(words))),
    },
  };
}

function chipsOf(collections, words) {
  const chip = (text, target, current) => {
    const href = link("kept", { ...target, text: words.text });
    return element("a", { href, "aria-current": current ? "page" : null }, text);
  };
  return [
    chip("All", {}, !words.favourite && !words.collection),
    chip("Favourites", { favourite: "true" }, Boolean(words.favourite)),
    ...collections.map(({ id, name, count }) => chip(`${name} (${count})`, { collection: id }, Number(words.collection) === id)),
  ];
}

function collectionTools(collection, refresh) {
  const name = element("input", { type: "text", maxlength: 100, value: collection.name, "aria-label": "Name of the collection" });
  const rename = async () => {
    if (!name.value.trim() || name.value.trim() === collection.name) return;
    await renameCollection(collection.id, name.value.trim()).then(refresh, sayError);
  };
  name.addEventListener("change", rename);
  const remove = confirmed("Delete the collection", "Delete it? Its faces stay kept", () =>
    removeCollection(collection.id).then(() => go("kept", {}), sayError));
  return [name, element("a.button", { href: `/api/collections/${collection.id}/export`, download: "" }, "Export"), remove];
}

/** A button that asks once more before it does what cannot be undone. */
function confirmed(text, question, act) {
  let sure = false;
  const made = button(text, () => {
    if (sure) return act();
    sure = true;
    made.textContent = question;
    made.classList.add("danger");
    return null;
  });
  made.addEventListener("blur", () => ((sure = false), (made.textContent = text), made.classList.remove("danger")));
  return made;
}

/** What can be done with those that are chosen. */
function selectionTools(collections, opened, refresh) {
  const chosen = () => [...document.querySelectorAll(".kept-grid .tile")].filter((one) => inTray(one.face));
  const each = async (act) => {
    const tiles = chosen();
    if (!tiles.length) return say("Choose faces first: Space, or Shift and a click.");
    await Promise.all(tiles.map((one) => act(one.kept.id))).then(refresh, sayError);
    setTray(tray().filter((face) => !tiles.some((one) => toQuery(one.face) === toQuery(face))));
  };
  const others = collections.filter(({ id }) => id !== opened?.id);
  const names = [["", "Put chosen into…"], ...others.map(({ id, name }) => [id, name])];
  const put = (id) => id && each((kept) => collect(id, kept));
  const into = choice(names, "", put, { "aria-label": "Put the chosen faces into a collection" });
  const out = opened && button("Take chosen out", () => each((kept) => uncollect(opened.id, kept)));
  const remove = confirmed("Forget chosen", "Forget them for good?", () => forgetAll(chosen(), refresh));
  return element("div.row", {}, others.length ? into : null, out, remove);
}

let doomed = null;

/** The first key asks, the second on the same face acts. */
function forgetTwice(one, refresh) {
  if (doomed === one.kept.id) return forgetAll([one], refresh);
  doomed = one.kept.id;
  return say("Press Del once more to forget this face for good.");
}

async function forgetAll(tiles, refresh) {
  await Promise.all(tiles.map((one) => forget(one.kept.id))).catch(sayError);
  setTray(tray().filter((face) => !tiles.some((one) => toQuery(one.face) === toQuery(face))));
  refresh();
}

function importer() {
  const file = element("input", { type: "file", accept: ".zip,application/zip", hidden: true, "aria-label": "A collection to import" });
  file.addEventListener("change", async () => {
    const form = new FormData();
    form.append("file", file.files[0]);
    try {
      const { collection, added, known } = await importCollection(form);
      say(`${counted(added, "face")} came with “${collection.name}”, ${known} were known.`);
      go("kept", { collection: collection.id });
    } catch (error) {
      sayError(error);
    }
    file.value = "";
  });
  return element("span", {}, file, button("Import", () => file.click()));
}

/** The kept faces that fit, a page at a time. */
function keptList(host, words) {
  const abort = new AbortController();
  const grid = element("div.wall.kept-grid", { role: "group", "aria-label": "Kept faces" });
  const more = button("More", () => load());
  const filter = { favourite: words.favourite, collection: words.collection, text: words.text, limit: PAGE };
  host.replaceChildren(grid, more);
  more.hidden = true;
  const restop = walkable(grid);
  const unmark = keepMarked(grid);
  grid.addEventListener("click", (event) => {
    const one = event.target.closest(".tile");
    if (one) event.shiftKey || event.ctrlKey ? toggleTray(one.face) : go("face", toQuery(one.face));
  });
  async function load() {
    try {
      const before = grid.lastElementChild?.kept.id;
      const answer = await listKept({ ...filter, before }, abort.signal);
      learn(...answer.kept);
      grid.append(...answer.kept.map(keptTile));
      restop();
      more.hidden = !answer.more;
      if (!grid.childElementCount) grid.append(nothing(words));
    } catch (error) {
      sayError(error);
    }
  }
  load();
  return { leave: () => (abort.abort(), unmark()) };
}

function keptTile(kept) {
  const image = element("img", { src: `/api/kept/${kept.id}/thumb.png`, alt: "", loading: "lazy" });
  const story = kept.story && element("span.caption", {}, kept.story);
  const made = element("button.tile", { type: "button", title: kept.story || nameOf(kept.face) }, image, story);
  Object.assign(made, { face: kept.face, kept });
  mark(made);
  return made;
}

function nothing(words) {
  const text = words.text ? "Nothing kept has these words." : "Nothing is kept here yet. F makes a face a favourite; a story keeps it as well.";
  return element("p.quiet", {}, text);
}
