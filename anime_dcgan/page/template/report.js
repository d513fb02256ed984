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

// The film: the grids side by side and those between them, in the order of their epochs.
const film = document.getElementById("film");
const epochOf = (picture) => Number(picture.dataset.epoch);

function startFilm() {
  const beside = [...document.querySelectorAll("main img[data-weights=averaged]")];
  const between = [...document.getElementById("between").content.children];
  const frames = [...beside, ...between].sort((one, other) => epochOf(one) - epochOf(other));
  if (frames.length < 2) return;
  const slider = film.querySelector("input");
  const play = film.querySelector("button");
  const screen = frames[0].cloneNode();
  let timer = 0;

  function show() {
    const frame = frames[slider.value];
    screen.src = frame.src;
    screen.alt = frame.alt;
    const epoch = `epoch ${epochOf(frame)}`;
    film.querySelector("output").textContent = epoch;
    slider.setAttribute("aria-valuetext", epoch);
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  }

  function advance() {
    slider.value = Number(slider.value) + 1;
    show();
    if (Number(slider.value) === frames.length - 1) pause();
  }

  play.addEventListener("click", () => {
    if (timer) return pause();
    if (Number(slider.value) === frames.length - 1) slider.value = 0;
    show();
    timer = setInterval(advance, 250);
    play.textContent = "Pause";
  });
  slider.addEventListener("input", () => { pause(); show(); });
  slider.max = frames.length - 1;
  slider.value = frames.length - 1;
  film.querySelector(".screen").append(screen);
  show();
  film.hidden = false;
}

if (film) startFilm();
