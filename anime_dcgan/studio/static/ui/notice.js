// @ts-check
/** The line at the bottom of the page that shows messages. */

import { onMessage } from "../state/messages.js";
import { button, byId } from "./dom.js";

/** @import { Message } from "../state/messages.js" */

let timer = 0;

/** Start to show messages; each disappears after a while or when clicked. */
export function showMessages() {
  byId("notice").addEventListener("click", hide);
  onMessage(show, (text) => (byId("live").textContent = text));
}

/** @param {Message} message */
function show({ text, isError, action, seconds }) {
  const line = byId("notice");
  clearTimeout(timer);
  line.replaceChildren(text);
  if (action) line.append(" ", button(action.text, action.run));
  line.classList.toggle("bad", isError);
  line.hidden = false;
  timer = setTimeout(hide, seconds * 1000);
}

function hide() {
  byId("notice").hidden = true;
}
