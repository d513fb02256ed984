// @ts-check
/** Draws faces with the model, in a worker where there is one. */

const BASE = new URL(".", document.baseURI).href;

/** @typedef {{ faces: Face[], resolve: (pictures: Picture[]) => void, reject: (error: unknown) => void }} Job */

class Engine {
  /**
   * @param {Backend} backend
   * @param {(faces: Face[]) => Promise<Picture[]>} drawNow
   */
  constructor(backend, drawNow) {
    this.backend = backend;
    this.drawNow = drawNow;
    /** @type {Job[]} */
    this.jobs = [];
    this.isBusy = false;
  }

  /**
   * Draw faces of the same truncation, before all that waits if they are urgent.
   *
   * @param {Face[]} faces
   * @param {boolean} [isUrgent]
   * @returns {Promise<Picture[]>}
   */
  draw(faces, isUrgent = false) {
    return new Promise((resolve, reject) => {
      this.jobs[isUrgent ? "unshift" : "push"]({ faces, resolve, reject });
      if (!this.isBusy) this.work();
    });
  }

  async work() {
    this.isBusy = true;
    for (let job = this.jobs.shift(); job; job = this.jobs.shift())
      await this.drawNow(job.faces).then(job.resolve, job.reject);
    this.isBusy = false;
  }
}

/** Open the model with the fastest backend that works. */
async function openEngine() {
  if (location.protocol === "file:") return openInPage();
  const backend = await chooseBackend();
  if (backend === "wasm") return openInWorker("wasm");
  return openInWorker(backend).catch(() => openInWorker("wasm"));
}

/** @returns {Promise<Backend>} */
async function chooseBackend() {
  if (!navigator.gpu || !("Suspending" in WebAssembly)) return "wasm";
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter && !adapter.info?.isFallbackAdapter ? "webgpu" : "wasm";
}

/** @param {Backend} backend */
async function openInWorker(backend) {
  const worker = new Worker(`engine.js?${SITE.version}`);
  /** @type {Map<number, { resolve: (pictures: Picture[]) => void, reject: (error: Error) => void }>} */
  const waiting = new Map();
  const fail = (/** @type {Event} */ event) => {
    const text = event instanceof ErrorEvent ? event.message : "the worker does not answer";
    for (const { reject } of waiting.values()) reject(new Error(text));
  };
  worker.addEventListener("error", fail);
  worker.addEventListener("message", ({ data: { id, pictures, error } }) => {
    const job = waiting.get(id);
    waiting.delete(id);
    if (error) job?.reject(new Error(error));
    else job?.resolve(pictures);
  });
  let count = 0;
  /**
   * @param {object} request
   * @returns {Promise<Picture[]>}
   */
  const ask = (request) =>
    new Promise((resolve, reject) => {
      waiting.set(++count, { resolve, reject });
      worker.postMessage({ id: count, ...request });
    });
  await ask({ open: { site: SITE, backend, base: BASE } });
  return new Engine(backend, (faces) => ask({ draw: faces }));
}

/** Open the model in a page from disk, which can neither start workers nor read files. */
async function openInPage() {
  const model = await openModel(SITE, "wasm", readScript, () =>
    loadScript(SITE.runtimes.wasm.script),
  );
  return new Engine("wasm", (faces) => model.draw(faces));
}

/**
 * Return a file from the script that holds it as base64.
 *
 * @param {string} name
 */
async function readScript(name) {
  const [path] = name.split("?");
  await loadScript(`disk/${path.replaceAll("/", "-")}.js`);
  const content = window.siteFiles?.[path];
  if (content === undefined) throw new Error(`${path} is missing`);
  return decode(content).buffer;
}

/**
 * @param {string} source
 * @returns {Promise<void>}
 */
function loadScript(source) {
  return new Promise((resolve, reject) => {
    const script = make("script", {
      src: source,
      onload: () => resolve(),
      onerror: () => reject(new Error(`${source} cannot be loaded`)),
    });
    document.head.append(script);
  });
}
