"use strict";

// A grid enlarged by whole pixels; the arrow keys lead to the one before and the one after it.
const dialog = document.querySelector("dialog");
const large = dialog.querySelector("img");
const buttons = [...document.querySelectorAll(".enlarge")];
let shown = 0;

function enlarge(index) {
  shown = index;
  const picture = buttons[index].querySelector("img");
  const room = Math.min((innerWidth * 0.9) / picture.naturalWidth, (innerHeight * 0.78) / picture.naturalHeight);
  const factor = room < 1 ? room : Math.floor(room);
  large.src = picture.src;
  large.alt = picture.alt;
  large.width = Math.round(picture.naturalWidth * factor);
  dialog.querySelector("p").textContent = picture.alt;
  if (!dialog.open) dialog.showModal();
}

function step(by) {
  for (let index = shown + by; buttons[index]; index += by) {
    if (buttons[index].offsetParent) return enlarge(index);
  }
}

buttons.forEach((button, index) => button.addEventListener("click", () => enlarge(index)));
dialog.addEventListener("click", () => dialog.close());
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});
