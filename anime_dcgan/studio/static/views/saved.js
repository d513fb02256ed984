// @ts-check
/** Saved faces: favourites, collections and stories, with a search. */

import { importCollection, listCollections, listSaved, thumbnailUrl } from "../state/api.js";
import { describeFace } from "../state/face.js";
import { updateFavourites } from "../state/favourites.js";
import { noteDrawable } from "../state/generators.js";
import { notify, notifyError } from "../state/messages.js";
import { go, link, replace } from "../state/router.js";
import { debounced } from "../state/scheduling.js";
import { forget } from "../state/saved.js";
import { onSelection } from "../state/selection.js";
import { counted } from "../state/text.js";
import { isTouch } from "../state/touch.js";
import { newCollection } from "../ui/collection-menu.js";
import { displayMenu } from "../ui/display-menu.js";
import { button, element, menu } from "../ui/dom.js";
import {
  arrowNavigation,
  keepTilesUpdated,
  onTileClick,
  tileKeys,
  updateTile,
  withFocusedTile,
} from "../ui/tiles.js";
import { collectionTools, selectionTools } from "./saved-tools.js";

/** @import { Collection, ParamValues, Params, SavedFace, View } from "../state/types.d.ts" */

const PAGE = 100;
const SEARCH_DELAY = 250; // ms
const ONLY_PICTURE = "only its picture is left";

/**
 * @param {HTMLElement} container
 * @returns {View}
 */
export function savedView(container) {
  /** @type {Params} */
  let params = {};
  /** @type {{ leave: () => void } | null} */
  let list = null;
  /** @type {ReturnType<typeof selectionTools> | null} */
  let selected = null;
  const search = element("input", {
    type: "search",
    placeholder: "Search stories and runs",
    "aria-label": "Search",
  });
  const searchLater = debounced(
    () => replace("saved", { ...params, text: search.value }),
    SEARCH_DELAY,
  );
  search.addEventListener("input", searchLater);
  const chips = element("nav.chips", { "aria-label": "Collections" });
  const tools = element("div.tools");
  const host = element("div.host");
  container.append(toolbar(search), chips, tools, host);

  /** @param {Params} next */
  async function update(next) {
    params = next;
    if (document.activeElement !== search) search.value = params.text ?? "";
    list?.leave();
    list = savedList(host, params, () => selected?.update());
    await showCollections();
  }
  async function showCollections() {
    const answer = await listCollections().catch(notifyError);
    if (!answer) return;
    const { collections } = answer;
    const open = collections.find(({ id }) => id === Number(params.collection));
    selected = selectionTools(collections, open, refresh);
    chips.replaceChildren(...collectionChips(collections, params));
    tools.replaceChildren(...(open ? collectionTools(open, showCollections) : []), selected.root);
  }
  const refresh = () => host.isConnected && update(params);
  const stopCounting = onSelection(() => selected?.update());
  return {
    title: "Saved",
    update,
    leave() {
      searchLater.cancel(); // the address is already that of another view
      stopCounting();
      list?.leave();
    },
    keys: {
      ...tileKeys(),
      "/": () => search.focus(),
      Delete: () => withFocusedTile(({ saved }) => saved && forget([saved], refresh)),
    },
  };
}

/** @param {HTMLElement} search */
function toolbar(search) {
  const openNew = (/** @type {Collection} */ { id }) => go("saved", { collection: id });
  return element(
    "div.bar",
    { role: "toolbar", "aria-label": "Faces to show" },
    search,
    menu("New collection", newCollection(openNew)),
    importButton(),
    displayMenu(),
  );
}

/**
 * @param {Collection[]} collections
 * @param {Params} params
 */
function collectionChips(collections, { text, favourite, collection }) {
  /** @type {(label: string, params: ParamValues, isCurrent: boolean) => HTMLElement} */
  const chip = (label, params, isCurrent) => {
    const href = link("saved", { ...params, text });
    return element("a", { href, "aria-current": isCurrent ? "page" : null }, label);
  };
  return [
    chip("All", {}, !favourite && !collection),
    chip("Favourites", { favourite: "true" }, Boolean(favourite)),
    ...collections.map(({ id, name, count }) =>
      chip(`${name} (${count})`, { collection: id }, Number(collection) === id),
    ),
  ];
}

function importButton() {
  const input = element("input", {
    type: "file",
    accept: ".zip,application/zip",
    hidden: true,
    "aria-label": "Collection to import",
  });
  input.addEventListener("change", async () => {
    const file = input.files?.[0];
    if (!file) return;
    const form = new FormData();
    form.append("file", file);
    try {
      const { collection, added, existing } = await importCollection(form);
      const faces = counted(added, "new face");
      notify(`Imported “${collection.name}”: ${faces}, ${existing} already saved.`);
      go("saved", { collection: collection.id });
    } catch (error) {
      notifyError(error);
    }
    input.value = "";
  });
  return element(
    "span",
    {},
    input,
    button("Import", () => input.click()),
  );
}

/**
 * Fill an element with the matching saved faces, page by page.
 *
 * @param {HTMLElement} host
 * @param {Params} params
 * @param {() => void} onLoaded called after each page
 */
function savedList(host, params, onLoaded) {
  const controller = new AbortController();
  const grid = element("div.wall.saved-grid", { role: "group", "aria-label": "Saved faces" });
  const more = button("More", loadMore);
  const { favourite, collection, text } = params;
  /** @type {number | undefined} */
  let before;
  host.replaceChildren(grid, more);
  more.hidden = true;
  const updateTabStop = arrowNavigation(grid);
  const stopUpdates = keepTilesUpdated(grid);
  onTileClick(grid);
  async function loadMore() {
    try {
      const filter = { favourite, collection, text, limit: PAGE, before };
      const page = await listSaved(filter, controller.signal);
      before = page.saved.at(-1)?.id;
      updateFavourites(...page.saved);
      noteDrawable(page.saved);
      grid.append(...page.saved.map(savedTile));
      updateTabStop();
      more.hidden = !page.more;
      if (!grid.childElementCount) grid.append(nothingFound(text));
      onLoaded();
    } catch (error) {
      notifyError(error);
    }
  }
  loadMore();
  return {
    leave() {
      controller.abort();
      stopUpdates();
    },
  };
}

/** @param {SavedFace} saved */
function savedTile(saved) {
  const image = element("img", { src: thumbnailUrl(saved.id), alt: "", loading: "lazy" });
  const text = saved.name || saved.story;
  const caption = text && element("span.caption", {}, text);
  const title = [text || describeFace(saved.face), !saved.drawable && ONLY_PICTURE];
  const attributes = { type: "button", title: title.filter(Boolean).join(" · ") };
  const button = element("button.tile", attributes, image, caption);
  button.classList.toggle("only-picture", !saved.drawable);
  const tile = Object.assign(button, { face: saved.face, saved });
  updateTile(tile);
  return tile;
}

/** @param {string | undefined} text searched for */
function nothingFound(text) {
  const message = text
    ? "No saved face matches this search."
    : `No saved faces here yet. ${isTouch() ? "Open a face and tap its heart" : "Press F to make a face a favourite"}, or write its story: both save it.`;
  return element("p.quiet", {}, message);
}
