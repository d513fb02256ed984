// @ts-check
/** The page that asks for the token; the address that the visitor wanted is opened afterwards. */

const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
const wrong = /** @type {HTMLElement} */ (document.getElementById("wrong"));

form.action = `/${location.hash}`;
wrong.hidden = !new URLSearchParams(location.search).has("token");
