// @ts-check
/** One face, as large as the screen allows. */

import { findSaved, getPicture } from "../state/api.js";
import {
  MAX_SEED,
  describeFace,
  faceFromSeed,
  fromQuery,
  generatorOf,
  parentParams,
  pictureUrl,
  randomSeed,
  toQuery,
} from "../state/face.js";
import { isFavourite, onFavourites, toggleFavourite } from "../state/favourites.js";
import { announce, notify, notifyError } from "../state/messages.js";
import { resolveFace } from "../state/generators.js";
import { go, goBack, link, replace, updateAddress } from "../state/router.js";
import { describeEpoch, findRun } from "../state/runs.js";
import { isSelected, onSelection, toggleSelected } from "../state/selection.js";
import { toggleRendering } from "../state/settings.js";
import { collectionMenu } from "../ui/collection-menu.js";
import { button, element, linkButton, menu, revokeLater } from "../ui/dom.js";
import { enlargeInFullScreen } from "../ui/full-screen.js";
import { liveImage } from "../ui/live-image.js";
import { relatives } from "../ui/relatives.js";
import { startSlideshow } from "../ui/slideshow.js";
import { storyBox } from "../ui/story-box.js";

/** @import { Face, Params, View } from "../state/types.d.ts" */

const DOWNLOAD_SCALE = 8;

/**
 * @param {HTMLElement} container
 * @param {Params} params
 * @returns {View}
 */
export function faceView(container, params) {
  let face = fromQuery(params);
  /** @type {{ leave: () => void } | null} */
  let shown = null;
  let controller = new AbortController();
  const openRandom = () => go("face", toQuery(faceFromSeed(face, randomSeed())));
  /** @param {number} offset */
  const moveSeed = (offset) => {
    if (face.seed == null) return;
    const seed = Math.max(0, Math.min(MAX_SEED, face.seed + offset));
    replace("face", toQuery({ ...face, seed }));
  };
  const back = () => goBack(link("wall", wallOf(face)));

  const leave = () => {
    controller.abort();
    shown?.leave();
    shown = null;
  };
  const keys = {
    r: openRandom,
    f: () => toggleFavourite(face),
    " ": () => toggleSelected(face),
    e: () => go("edit", toQuery(face)),
    Escape: back,
    ArrowLeft: () => moveSeed(-1),
    ArrowRight: () => moveSeed(1),
  };
  /** @type {View} */
  const view = { title: "Face", update, leave, keys };
  /** @param {Params} next */
  async function update(next) {
    leave();
    controller = new AbortController();
    const { signal } = controller;
    face = fromQuery(next);
    try {
      const resolved = await resolveFace(face, signal);
      const saved = resolved ? null : await findSaved(face, signal);
      if (signal.aborted) return;
      view.keys = resolved ? keys : saved ? { f: keys.f, Escape: back } : { Escape: back };
      if (resolved) shown = showFace(container, (face = resolved), openRandom, back);
      else if (saved) shown = showStored(container, face, back);
      else container.replaceChildren(nothingLeft(back));
      updateAddress("face", toQuery(face));
    } catch (error) {
      notifyError(error);
    }
  }
  return view;
}

/**
 * Return the parameters of the wall that begins with a face.
 *
 * @param {Face} face
 */
const wallOf = (face) => ({ ...generatorOf(face), label: face.label, seed: face.seed ?? 0 });

/**
 * @typedef {{ root: HTMLElement, leave: () => void }} Part
 */

/**
 * @param {HTMLElement} container
 * @param {Face} face
 * @param {() => void} openRandom
 * @param {() => void} back
 */
function showFace(container, face, openRandom, back) {
  const picture = largePicture(face, openRandom);
  return showParts(container, face, back, picture, [faceActions(face, picture.root)], true);
}

/**
 * Show a face with its name, story and relatives.
 *
 * @param {HTMLElement} container
 * @param {Face} face
 * @param {() => void} back
 * @param {Part} picture
 * @param {Part[]} parts between the name and the story
 * @param {boolean} isDrawable
 */
function showParts(container, face, back, picture, parts, isDrawable) {
  const kin = relatives(face, isDrawable);
  const title = titleOf(face, back);
  const story = storyBox(face, (saved) => {
    kin.showFamily(saved);
    title.setName(saved.name);
  });
  const about = element(
    "aside.about",
    { "aria-label": "About this face" },
    title.root,
    origin(face, isDrawable),
    ...parts.map(({ root }) => root),
    story.root,
    kin.root,
  );
  container.replaceChildren(picture.root, about);
  return { leave: () => [story, picture, ...parts, kin].forEach((part) => part.leave()) };
}

/**
 * @param {Face} face
 * @param {() => void} back
 */
function titleOf(face, back) {
  const attributes = { class: "back", "aria-label": "Back", title: "Back (Esc)" };
  const heading = element("h1", {}, describeFace(face));
  return {
    root: element("div.title", {}, button("←", back, attributes), heading),
    /** @param {string} name */
    setName: (name) => (heading.textContent = name || describeFace(face)),
  };
}

/**
 * Show the stored picture of a face whose generator is gone, with what can still be done.
 *
 * @param {HTMLElement} container
 * @param {Face} face
 * @param {() => void} back
 */
function showStored(container, face, back) {
  const favourite = favouriteButton(face);
  const downloadUrl = pictureUrl(face, { scale: DOWNLOAD_SCALE, download: true });
  const download = linkButton("Download", downloadUrl, { download: "" });
  const actions = element("div.actions", {}, favourite.root, download, collectionMenu(face));
  const text = "This picture was stored when the face was kept. The run that drew it is gone.";
  const parts = [
    { root: element("p.calm", {}, text), leave: () => {} },
    { root: actions, leave: favourite.leave },
  ];
  return showParts(container, face, back, storedPicture(face), parts, false);
}

/** @param {Face} face */
function storedPicture(face) {
  const image = element("img", { alt: describeFace(face), draggable: "false" });
  const live = liveImage(image);
  live.show(face);
  return { root: element("div.big", {}, image), leave: live.leave };
}

/** @param {() => void} back */
function nothingLeft(back) {
  return element(
    "div.empty",
    {},
    element("h2", {}, "This face is gone"),
    element("p", {}, "The run that drew it is gone, and the face was not kept."),
    button("Back", back, { class: "primary" }),
  );
}

/**
 * Return the picture as a button that opens a random face.
 *
 * @param {Face} face
 * @param {() => void} openRandom
 */
function largePicture(face, openRandom) {
  const image = element("img", { alt: describeFace(face), draggable: "false" });
  const controller = new AbortController();
  /** @type {string | null} */
  let url = null;
  getPicture(pictureUrl(face), controller.signal)
    .then((blob) => {
      url = URL.createObjectURL(blob);
      image.src = url;
      announce(`Showing ${describeFace(face)}`);
    })
    .catch(notifyError);
  const attributes = {
    type: "button",
    "aria-label": "Show a random face",
    title: "Random face (R)",
    onclick: openRandom,
  };
  const root = element("button.big", attributes, image);
  const stopEnlarging = enlargeInFullScreen(root, image, face);
  return {
    root,
    leave() {
      controller.abort();
      stopEnlarging();
      revokeLater(url);
    },
  };
}

/**
 * @param {Face} face
 * @param {boolean} [hasRun] link to its run
 */
function origin(face, hasRun = true) {
  const details = [
    describeEpoch(findRun(face.run), face.epoch),
    face.weights === "raw" && "raw weights",
    face.truncation !== 1 && `variety ${face.truncation}`,
  ];
  const href = link("epochs", { ...generatorOf(face), seed: face.seed });
  return element(
    "p.quiet",
    {},
    hasRun && findRun(face.run) ? element("a", { href }, face.run) : face.run,
    element("br"),
    details.filter(Boolean).join(", "),
  );
}

/**
 * Return one row with the main actions, and a menu with all others.
 *
 * @param {Face} face
 * @param {HTMLElement} picture
 */
function faceActions(face, picture) {
  const favourite = favouriteButton(face);
  const select = button("", () => toggleSelected(face));
  const update = () => {
    select.textContent = isSelected(face) ? "Deselect" : "Select";
    select.setAttribute("aria-pressed", String(isSelected(face)));
  };
  const unsubscribe = [favourite.leave, onSelection(update)];
  update();
  const downloadUrl = pictureUrl(face, { scale: DOWNLOAD_SCALE, download: true });
  const more = menu(
    "⋯",
    select,
    button("Copy link", () => copyLink(face)),
    collectionMenu(face),
    button("Slideshow", () => startSlideshow(face, face)),
    document.fullscreenEnabled && button("Full screen", () => toggleFullScreen(picture)),
    button("Smooth or pixelated", toggleRendering, { title: "Enlargement (S)" }),
  );
  more.querySelector("summary")?.setAttribute("aria-label", "More");
  more.classList.add("dots");
  const root = element(
    "div.actions",
    {},
    favourite.root,
    linkButton("Edit", link("edit", toQuery(face))),
    linkButton("More like this", link("mix", parentParams([face]))),
    linkButton("Download", downloadUrl, { download: "" }),
    more,
  );
  return { root, leave: () => unsubscribe.forEach((end) => end()) };
}

/** @param {Face} face */
function favouriteButton(face) {
  const attributes = { class: "heart", "aria-label": "Favourite", title: "Favourite (F)" };
  const root = button("", () => toggleFavourite(face), attributes);
  const update = () => {
    root.textContent = isFavourite(face) ? "♥" : "♡";
    root.setAttribute("aria-pressed", String(isFavourite(face)));
  };
  update();
  return { root, leave: onFavourites(update) };
}

/** @param {Face} face */
async function copyLink(face) {
  const url = `${location.origin}/${link("face", toQuery(face))}`;
  try {
    await navigator.clipboard.writeText(url);
    notify("Link copied.");
  } catch {
    notify(`The browser blocked access to the clipboard. The link is ${url}`);
  }
}

/** @param {HTMLElement} picture */
function toggleFullScreen(picture) {
  if (document.fullscreenElement) document.exitFullscreen();
  else picture.requestFullscreen().catch(notifyError);
}
