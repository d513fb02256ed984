// @ts-check

// The suspects and the choices made about them. A choice belongs to the pixels, because one picture
// may be listed under several reasons.

/** @typedef {"keep" | "drop"} Choice */

/**
 * A picture that fails the test of a reason, or is borderline.
 *
 * @typedef {object} Suspect
 * @property {string} key digest of its pixels
 * @property {string} name path in the source
 * @property {string} score
 * @property {"<" | "=" | ">"} sign between score and threshold
 * @property {string} threshold
 * @property {boolean} flagged true if it is dropped without a choice
 * @property {string} size in px
 * @property {string} face JPEG as base64
 * @property {string | null} twin the kept picture that it duplicates, as base64
 * @property {string | null} twinName
 * @property {Choice | null} choice made before the page was written
 */

/** @typedef {{ name: string, suspects: Suspect[] }} Reason */

/**
 * The content of the page, see `_data` in page/review.py.
 *
 * @type {{ storageKey: string, revision: string, reasons: Reason[] }}
 */
const data = JSON.parse(find("#data").textContent);
const reasons = data.reasons;
const suspects = reasons.flatMap((reason) => reason.suspects);
const keys = new Set(suspects.map((suspect) => suspect.key));
const flaggedKeys = new Set(suspects.filter(({ flagged }) => flagged).map(({ key }) => key));

/** @type {Map<string, Choice>} */
const initialChoices = new Map(
  suspects.flatMap(({ key, choice }) => (choice ? [[key, choice]] : [])),
);
let choices = new Map(initialChoices);
/** The choices in the file that was saved last. */
let saved = new Map(initialChoices);
let isStorageAvailable = true;

/**
 * Return what happens to a picture, by choice or by threshold.
 *
 * @param {string} key
 * @returns {Choice}
 */
function outcomeOf(key) {
  return choices.get(key) ?? (flaggedKeys.has(key) ? "drop" : "keep");
}

function countUnsaved() {
  return [...keys].filter((key) => choices.get(key) !== saved.get(key)).length;
}

function countDecided() {
  return [...keys].filter((key) => choices.has(key)).length;
}

/**
 * Set choices, or remove those that are undefined.
 *
 * @param {[string, Choice | undefined][]} changes
 */
function setChoices(changes) {
  for (const [key, choice] of changes) {
    if (choice) choices.set(key, choice);
    else choices.delete(key);
  }
  storeChoices();
}

/**
 * Restore the choices that the browser stored. On a page that was written again with other choices,
 * the choices of the page take precedence, except over stored ones that were never saved.
 */
function restoreChoices() {
  let isSameRevision, storedChoices, storedSaved;
  try {
    const stored = JSON.parse(localStorage.getItem(data.storageKey) ?? "");
    isSameRevision = stored.revision === data.revision;
    storedChoices = /** @type {Map<string, Choice>} */ (new Map(stored.choices));
    storedSaved = /** @type {Map<string, Choice>} */ (new Map(stored.saved));
  } catch {
    return; // nothing is stored yet, or it cannot be read
  }
  for (const key of keys) {
    const choice = storedChoices.get(key);
    const isUnsaved = choice !== storedSaved.get(key);
    if (!isSameRevision && !isUnsaved && initialChoices.has(key)) continue;
    if (choice) choices.set(key, choice);
    else choices.delete(key);
  }
  if (isSameRevision) saved = storedSaved;
}

function storeChoices() {
  const content = { revision: data.revision, choices: [...choices], saved: [...saved] };
  try {
    localStorage.setItem(data.storageKey, JSON.stringify(content));
  } catch {
    isStorageAvailable = false;
  }
}

/** Download the choices as review.json. */
function downloadChoices() {
  const content = JSON.stringify({ choices: Object.fromEntries(choices) }, null, 1);
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([`${content}\n`], { type: "application/json" }));
  link.download = "review.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  saved = new Map(choices);
  storeChoices();
}
