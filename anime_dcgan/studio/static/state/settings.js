/** How the studio looks: all that it remembers in the browser. */

const KEY = "anime_dcgan.look";
const USUAL = { theme: "system", rendering: "pixelated", side: 96 };
export const THEMES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];
export const RENDERINGS = [["pixelated", "Pixels"], ["auto", "Smooth"]];
export const SIDES = { min: 48, max: 256, step: 8 };

const look = { ...USUAL, ...stored() };

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

/** The value of a setting. */
export const setting = (name) => look[name];

/** Change settings, show them, and remember them. */
export function change(changes) {
  Object.assign(look, changes);
  apply();
  try {
    localStorage.setItem(KEY, JSON.stringify(look));
  } catch {
    // A browser that stores nothing shows it until the page is closed.
  }
}

/** Enlarge the other way. */
export function toggleRendering() {
  change({ rendering: look.rendering === "auto" ? "pixelated" : "auto" });
}

/** Show the settings on the page. */
export function apply() {
  const root = document.documentElement;
  root.dataset.theme = look.theme;
  root.style.setProperty("--rendering", look.rendering);
  root.style.setProperty("--side", `${look.side}px`);
}
