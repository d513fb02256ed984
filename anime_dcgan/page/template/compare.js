"use strict";
const dialog = document.querySelector("dialog");
const large = dialog.querySelector("img");
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const picture = button.querySelector("img");
    large.src = picture.src;
    large.alt = picture.alt;
    const factor = Math.max(1, Math.floor((0.9 * window.innerWidth) / picture.naturalWidth));
    large.width = factor * picture.naturalWidth;
    dialog.querySelector("p").textContent = picture.alt;
    dialog.showModal();
  });
}
large.addEventListener("click", () => dialog.close());
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
