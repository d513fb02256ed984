// @ts-check
/** The last step of "Make yours": a name and a story, and the card. */

import { describeFace, fromQuery, generatorOf, pictureUrl, toQuery } from "../state/face.js";
import { announce, notifyError } from "../state/messages.js";
import { randomWallSeed } from "../state/prefetch.js";
import { go, link } from "../state/router.js";
import { save } from "../state/saved.js";
import { recall, remember } from "../state/session.js";
import { drawCard } from "../ui/card.js";
import { button, element, linkButton, revokeLater } from "../ui/dom.js";

/** @import { Params, SavedFace } from "../state/types.d.ts" */

/** Share of a face that gave its colours or details. */
const DONOR_SHARE = 0.25;

/**
 * The last step: a name and a story; afterwards the card.
 *
 * @param {Params} params
 * @param {(title: string, hint: string) => void} setTitle
 * @returns {{ root: HTMLElement, leave: () => void }}
 */
export function nameFace(params, setTitle) {
  const face = fromQuery(params.details ?? "");
  const key = `make ${toQuery(face)}`;
  const draft = recall(key, { name: "", story: "" });
  const name = element("input", {
    type: "text",
    maxlength: 60,
    value: draft.name,
    placeholder: "Her name",
    "aria-label": "Name",
  });
  const story = element(
    "textarea",
    {
      rows: 4,
      maxlength: 2000,
      placeholder: "Who is this?",
      "aria-label": "Story",
    },
    draft.story,
  );
  const keepDraft = () => remember(key, { name: name.value, story: story.value });
  const root = element("div");
  const adopt = button("Adopt", act, { class: "primary" });
  const form = element(
    "form.adopt",
    {
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        act();
      },
    },
    name,
    story,
    element("div.actions", {}, adopt),
  );
  form.addEventListener("input", keepDraft);
  const image = element("img", { src: pictureUrl(face), alt: describeFace(face) });
  /** @type {string | null} */
  let url = null;

  async function act() {
    if (!name.value.trim()) return name.focus();
    adopt.disabled = true;
    const saved = await save({
      face,
      name: name.value.trim(),
      story: story.value,
      favourite: true,
      how: "make",
      parents: family(params),
      show_parents: false,
    });
    adopt.disabled = false;
    if (saved) await showCard(saved);
  }
  /** @param {SavedFace} saved */
  async function showCard(saved) {
    const blob = await drawCard(
      saved,
      family(params).map((one) => one.face),
      face,
    ).catch(notifyError);
    if (!blob) return;
    revokeLater(url);
    url = URL.createObjectURL(blob);
    const file = `${saved.name.replace(/[^\p{L}\p{N}]+/gu, "-").toLowerCase() || "face"}.png`;
    const card = element("img.card", { src: url, alt: `Card of ${saved.name}` });
    setTitle(`${saved.name} is yours`, "You find this face under Saved, among your favourites.");
    remember(key, null);
    const actions = element(
      "div.actions",
      {},
      linkButton("Download the card", url, { download: file, class: "button primary" }),
      linkButton("Open the face", link("face", toQuery(face))),
      linkButton("Family", link("family", { id: saved.id })),
      button("Make another", () => go("make", { ...generatorOf(face), seed: randomWallSeed() })),
    );
    root.replaceChildren(element("div.make-step", {}, card, element("div", {}, actions)));
    scrollTo(0, 0);
    announce(`${saved.name} was adopted`);
  }
  root.append(element("div.make-step", {}, element("figure.so-far.large", {}, image), form));
  return { root, leave: () => revokeLater(url) };
}

/**
 * Return the faces that a face was made from, with their shares.
 *
 * @param {Params} params
 */
function family(params) {
  const start = fromQuery(params.face ?? "");
  const donors = ["colours_of", "details_of"].flatMap((name) => {
    const query = params[name];
    return query ? [{ face: fromQuery(query), share: DONOR_SHARE }] : [];
  });
  return [{ face: start, share: 1 - DONOR_SHARE * donors.length }, ...donors];
}
