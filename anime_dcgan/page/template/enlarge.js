// @ts-check

// Enlarge a grid by whole pixels; the arrow keys lead to the previous and the next one.
{
  const dialog = /** @type {HTMLDialogElement} */ (document.querySelector("dialog"));
  const large = /** @type {HTMLImageElement} */ (dialog.querySelector("img"));
  const caption = /** @type {HTMLElement} */ (dialog.querySelector("p"));
  /** @type {HTMLElement[]} */
  const buttons = [];
  /** @type {HTMLImageElement[]} */
  const pictures = [];
  let shown = 0;

  for (const picture of document.querySelectorAll("img")) {
    const button = /** @type {HTMLElement | null} */ (picture.closest(".enlarge"));
    if (!button) continue;
    const index = buttons.length;
    button.addEventListener("click", () => enlarge(index));
    buttons.push(button);
    pictures.push(picture);
  }

  /** @param {number} index */
  function enlarge(index) {
    shown = index;
    const { src, alt, naturalWidth, naturalHeight } = pictures[index];
    const room = Math.min((innerWidth * 0.9) / naturalWidth, (innerHeight * 0.78) / naturalHeight);
    const factor = room < 1 ? room : Math.floor(room);
    large.src = src;
    large.alt = alt;
    large.width = Math.round(naturalWidth * factor);
    caption.textContent = alt;
    if (!dialog.open) dialog.showModal();
  }

  /** @param {1 | -1} direction */
  function step(direction) {
    for (let index = shown + direction; buttons[index]; index += direction) {
      if (buttons[index].offsetParent) return enlarge(index); // not in a closed <details>
    }
  }

  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  });
}
