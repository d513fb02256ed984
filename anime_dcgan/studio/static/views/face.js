/** One face, as large as the screen lets it be. */

import { getPicture } from "../state/api.js";
import { button, element, release } from "../ui/dom.js";
import { LAST_SEED, faceOfSeed, fromQuery, generatorOf, nameOf, pictureOf, randomSeed, toQuery } from "../state/face.js";
import { isFavourite, onFavourites, toggleFavourite } from "../state/favourites.js";
import { collectionMenu } from "../ui/collection-menu.js";
import { announce, say, sayError } from "../ui/notice.js";
import { go, leaveTo, link, replace } from "../state/router.js";
import { epochText, runNamed } from "../state/runs.js";
import { toggleRendering } from "../state/settings.js";
import { storyBox } from "../ui/story-box.js";
import { inTray, onTray, toggleTray } from "../state/selection.js";

const DOWNLOAD_SCALE = 8;

/** @see router.start */
export function faceView(place) {
  let face = null;
  let shown = null;
  const another = () => face && go("face", toQuery(faceOfSeed(face, randomSeed())));
  const neighbour = (step) => () => {
    if (face.seed == null) return;
    replace("face", toQuery({ ...face, seed: Math.max(0, Math.min(LAST_SEED, face.seed + step)) }));
  };
  const back = () => leaveTo(link("wall", { ...generatorOf(face), seed: face.seed ?? 0 }));

  return {
    title: "Face",
    update(words) {
      face = fromQuery(words);
      shown?.leave();
      shown = showFace(place, face, { another, back });
    },
    leave: () => shown?.leave(),
    keys: {
      r: another,
      f: () => toggleFavourite(face),
      " ": () => toggleTray(face),
      e: () => go("edit", toQuery(face)),
      Escape: back,
      ArrowLeft: neighbour(-1),
      ArrowRight: neighbour(1),
    },
  };
}

function showFace(place, face, { another, back }) {
  const picture = bigPicture(face, another);
  const ends = [];
  const story = storyBox(face, (kept) => showKept(family, kept));
  const family = element("div.lineage");
  const about = element(
    "aside.about", { "aria-label": "About this face" },
    element("h1", {}, nameOf(face)), origin(face), actions(face, picture, back, ends), story.box, family,
  );
  place.replaceChildren(picture, about);
  return { leave: () => (story.leave(), picture.leave(), ends.forEach((end) => end())) };
}

/** The picture, which a click exchanges for another face. */
function bigPicture(face, another) {
  const image = element("img", { alt: nameOf(face), draggable: "false" });
  const made = element("button.big", { type: "button", "aria-label": "Another face at random", title: "Another face (R)", onclick: another }, image);
  const abort = new AbortController();
  let address = null;
  getPicture(pictureOf(face), abort.signal).then((blob) => {
    address = URL.createObjectURL(blob);
    image.src = address;
    announce(`Face of ${nameOf(face)}`);
  }).catch(sayError);
  made.leave = () => (abort.abort(), release(address));
  return made;
}

function origin(face) {
  const run = runNamed(face.run);
  const words = [
    epochText(run, face.epoch), face.weights === "raw" && "raw weights",
    face.truncation !== 1 && `truncation ${face.truncation}`,
  ];
  return element(
    "p.quiet", {}, element("a", { href: link("epochs", { ...generatorOf(face), seed: face.seed }) }, face.run),
    element("br"), words.filter(Boolean).join(", "),
  );
}

function actions(face, picture, back, ends) {
  const favourite = button("", () => toggleFavourite(face), { class: "heart" });
  const choose = button("", () => toggleTray(face));
  const update = () => {
    favourite.textContent = isFavourite(face) ? "♥ Favourite" : "♡ Favourite";
    favourite.setAttribute("aria-pressed", isFavourite(face));
    choose.textContent = inTray(face) ? "Take out of tray" : "Choose";
    choose.setAttribute("aria-pressed", inTray(face));
  };
  ends.push(onFavourites(update), onTray(update));
  update();
  const full = button("Full screen", () => fullScreen(picture));
  return element(
    "div.actions", {}, favourite, choose,
    element("a.button", { href: link("edit", toQuery(face)) }, "Edit"),
    button("Copy link", () => copyLink(face)),
    element("a.button", { href: pictureOf(face, DOWNLOAD_SCALE, true), download: "" }, "Download"),
    collectionMenu(face),
    button("Pixels or smooth", toggleRendering, { title: "S" }), document.fullscreenEnabled && full, button("Back", back, { title: "Back (Esc)" }),
  );
}

async function copyLink(face) {
  const address = `${location.origin}/${link("face", toQuery(face))}`;
  try {
    await navigator.clipboard.writeText(address);
    say("The link is copied.");
  } catch {
    say(`The browser does not let the link be copied; it is ${address}`);
  }
}

function fullScreen(picture) {
  if (document.fullscreenElement) document.exitFullscreen();
  else picture.requestFullscreen().catch(sayError);
}

function showKept(place, kept) {
  const words = kept.parents.length ? `Has ${kept.parents.length} parents: the family` : "The family";
  place.replaceChildren(element("a", { href: link("family", { kept: kept.id }) }, words));
}
