// @ts-check

// One pair at a time; the choices are remembered by the browser, and saved as a file.
{
  /** @typedef {"left" | "right" | "same" | "open"} Choice */

  /** @type {{ page: string, pairs: [string, string][] }} see page/blind.py */
  const data = JSON.parse(element("#data").textContent ?? "");
  const key = `anime_dcgan blind ${data.page}`;
  const choices = remembered();
  const firstOpen = choices.indexOf("open");
  let shown = firstOpen < 0 ? 0 : firstOpen;

  for (const button of buttons()) {
    button.addEventListener("click", () => choose(choiceOf(button)));
  }
  element("#previous").addEventListener("click", () => show(shown - 1));
  element("#next").addEventListener("click", () => show(shown + 1));
  element("#save").addEventListener("click", save);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "ArrowLeft") choose("left");
    else if (event.key === "ArrowRight") choose("right");
    else if (event.key === "ArrowDown") choose("same");
    else if (event.key === "Backspace") show(shown - 1);
    else return;
    event.preventDefault();
  });
  element("main").hidden = false;
  show(shown);

  /** @param {Choice} choice */
  function choose(choice) {
    choices[shown] = choice;
    try {
      localStorage.setItem(key, JSON.stringify(choices));
    } catch {
      // This browser stores nothing: the choices last until the page is closed.
    }
    show(shown + 1);
  }

  /** @param {number} index */
  function show(index) {
    shown = Math.max(0, Math.min(data.pairs.length - 1, index));
    element("main")
      .querySelectorAll("img")
      .forEach((image, side) => {
        image.src = data.pairs[shown][side];
      });
    for (const button of buttons()) {
      button.setAttribute("aria-pressed", String(choiceOf(button) === choices[shown]));
    }
    const decided = choices.filter((choice) => choice !== "open").length;
    const total = data.pairs.length;
    element("#position").textContent =
      `Pair ${shown + 1} of ${total}, ${decided === total ? "all" : decided} decided`;
    element("progress").setAttribute("value", String(decided));
    element("#previous").toggleAttribute("disabled", shown === 0);
    element("#next").toggleAttribute("disabled", shown === total - 1);
  }

  function save() {
    const text = JSON.stringify({ page: data.page, choices }, null, 1);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "choices.json";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  /** @returns {Choice[]} */
  function remembered() {
    /** @type {Choice[]} */
    const none = data.pairs.map(() => "open");
    try {
      const stored = JSON.parse(localStorage.getItem(key) ?? "[]");
      return stored.length === none.length ? stored : none;
    } catch {
      return none;
    }
  }

  function buttons() {
    return /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-choice]"));
  }

  /**
   * @param {HTMLElement} button
   * @returns {Choice}
   */
  function choiceOf(button) {
    return /** @type {Choice} */ (button.dataset.choice);
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  function element(selector) {
    return /** @type {HTMLElement} */ (document.querySelector(selector));
  }
}
