// @ts-check
/** Keeps the site for visits without a network. Its version and files are filled in. */

const VERSION = "@VERSION@";
/** @type {string[]} */
const FILES = JSON.parse("@FILES@");
const PREFIX = `faces ${new URL("./", location.href).pathname} `;
const NAME = PREFIX + VERSION;
const worker = /** @type {any} */ (self);

worker.addEventListener("install", (/** @type {any} */ event) => {
  const backend = location.search.slice(1);
  const files = FILES.filter(
    (name) => !name.startsWith("runtime/") || name.includes(`/${backend}.`),
  );
  // The browser may have kept the page of the version before; all else has the version in its name.
  const page = new Request("./", { cache: "no-cache" });
  worker.skipWaiting();
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll([page, ...files])));
});

worker.addEventListener("activate", (/** @type {any} */ event) => {
  event.waitUntil(
    caches.keys().then((names) => {
      const old = names.filter((name) => name.startsWith(PREFIX) && name !== NAME);
      return Promise.all([...old.map((name) => caches.delete(name)), worker.clients.claim()]);
    }),
  );
});

worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method === "GET") event.respondWith(answer(request));
});

/**
 * Return a page from the network while there is one, and anything else from the copy.
 *
 * @param {Request} request
 */
async function answer(request) {
  const cache = await caches.open(NAME);
  const kept = await cache.match(request.mode === "navigate" ? "./" : request);
  if (request.mode !== "navigate") return kept ?? fetch(request);
  return fetch(request).catch(() => kept ?? Response.error());
}
