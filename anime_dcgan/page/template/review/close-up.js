// @ts-check

// The current picture enlarged by whole pixels, next to the picture that it duplicates.

const dialog = /** @type {HTMLDialogElement} */ (find("dialog"));

function enlargeCurrent() {
  const tile = currentTile();
  if (!tile) return;
  const { suspect, index } = tile;
  const images = [makeImage(suspect.face, suspect.name)];
  if (suspect.twin) images.push(makeImage(suspect.twin, suspect.twinName ?? "the original"));
  find(".close-up", dialog).replaceChildren(
    ...images.map((image, number) =>
      makeFrame(image, number ? "kept" : suspect.size, (innerWidth * 0.84) / images.length),
    ),
  );
  const outcome = outcomeOf(suspect.key);
  const decidedBy = choices.has(suspect.key) ? "by your choice" : "by the threshold";
  const score = `${reasons[shownReason].name} ${compareScore(suspect)}`;
  const position = `${index + 1} of ${reasons[shownReason].suspects.length}`;
  find(".about", dialog).replaceChildren(
    make("b", outcome, labelOutcome(outcome)),
    ` ${[decidedBy, score, position].join(" \u00b7 ")}`,
  );
  if (dialog.open) return;
  dialog.showModal();
  dialog.focus();
}

/**
 * @param {HTMLImageElement} image
 * @param {string} detail
 * @param {number} maxWidth in px
 */
function makeFrame(image, detail, maxWidth) {
  const caption = make("figcaption");
  caption.append(make("bdi", "", image.alt), make("small", "", ` ${detail}`));
  const frame = make("figure");
  frame.append(image, caption);
  image.decode().then(() => {
    const { naturalWidth, naturalHeight } = image;
    const scale = Math.min(maxWidth / naturalWidth, (innerHeight * 0.6) / naturalHeight);
    image.width = Math.round(naturalWidth * (scale < 1 ? scale : Math.floor(scale)));
    frame.style.width = `${image.width}px`;
  });
  return frame;
}
