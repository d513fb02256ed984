// @ts-check
/** Answers the messages of `page/engine.js` in a worker. */

/**
 * @typedef {{ id: number, open: { site: Site, backend: Backend, base: string } }} OpenRequest
 * @typedef {{ id: number, draw: Face[] }} DrawRequest
 */

if (typeof document === "undefined") answerMessages();

function answerMessages() {
  /** @type {Promise<Model>} */
  let model;
  addEventListener("message", async ({ data }) => {
    const { id, open, draw } = data;
    try {
      if (open) {
        const { site, backend, base } = open;
        const at = (/** @type {string} */ name) => new URL(name, base).href;
        model = openModel(
          site,
          backend,
          (name) => download(at(name)),
          () => importScripts(at(site.runtimes[backend].script)),
        );
      }
      const pictures = await (draw ? (await model).draw(draw) : model.then(() => []));
      const transfer = pictures.map(({ pixels }) => pixels.buffer);
      postMessage({ id, pictures }, { transfer });
    } catch (error) {
      postMessage({ id, error: String(error) });
    }
  });
}

/**
 * @param {string} address
 */
async function download(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}
