// @ts-check

// Play the sample grids as a film, in the order of their epochs.
{
  const film = document.getElementById("film");
  if (film) startFilm(film);

  /** @param {HTMLImageElement} grid */
  function epochOf(grid) {
    return Number(grid.dataset.epoch);
  }

  /** Return all grids: those shown on the page, and those between them. */
  function collectFrames() {
    /** @type {NodeListOf<HTMLImageElement>} */
    const shown = document.querySelectorAll("main img[data-weights=averaged]");
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById("between"));
    const between = template.content.querySelectorAll("img");
    return [...shown, ...between].sort((a, b) => epochOf(a) - epochOf(b));
  }

  /** @param {HTMLElement} film */
  function startFilm(film) {
    const frames = collectFrames();
    if (frames.length < 2) return;
    const slider = /** @type {HTMLInputElement} */ (film.querySelector("input"));
    const play = /** @type {HTMLButtonElement} */ (film.querySelector("button"));
    const output = /** @type {HTMLOutputElement} */ (film.querySelector("output"));
    const screen = /** @type {HTMLImageElement} */ (frames[0].cloneNode());
    const last = frames.length - 1;
    let timer = 0;

    /** @param {number} index */
    function show(index) {
      slider.value = String(index);
      screen.src = frames[index].src;
      screen.alt = frames[index].alt;
      const epoch = `epoch ${epochOf(frames[index])}`;
      output.textContent = epoch;
      slider.setAttribute("aria-valuetext", epoch);
    }

    function pause() {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    }

    function advance() {
      show(Number(slider.value) + 1);
      if (Number(slider.value) === last) pause();
    }

    play.addEventListener("click", () => {
      if (timer) return pause();
      if (Number(slider.value) === last) show(0);
      timer = setInterval(advance, 250);
      play.textContent = "Pause";
    });
    slider.addEventListener("input", () => {
      pause();
      show(Number(slider.value));
    });
    slider.max = String(last);
    film.querySelector(".screen")?.append(screen);
    show(last);
    film.hidden = false;
  }
}
