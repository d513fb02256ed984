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
