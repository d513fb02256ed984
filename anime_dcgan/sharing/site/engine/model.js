// @ts-check
/** The generator in onnxruntime-web. Runs in a worker, or in the page where there are none. */

/**
 * @typedef {object} Face values from which the same picture can be drawn again
 * @property {number} [seed]
 * @property {Float32Array} [latent] of a face without a seed
 * @property {Float32Array} [noise] of a face between two others
 * @property {number} truncation
 * @property {Record<string, number>} moves steps along directions, by their id
 * @property {string | null} label
 *
 * @typedef {{ width: number, pixels: Uint8ClampedArray<ArrayBuffer> }} Picture RGBA
 * @typedef {"wasm" | "webgpu"} Backend
 */

/** Seed of the noise of faces that have no seed; `NOISE_SEED` in Python. */
const FIXED_NOISE = 0x40000000;

class Model {
  /**
   * @param {Site} site
   * @param {OrtSession} session
   */
  constructor(site, session) {
    this.site = site;
    this.session = session;
    this.vectors = new Map(
      site.directions.map(({ id, vector }) => [id, new Float32Array(decode(vector).buffer)]),
    );
  }

  /**
   * Draw faces of the same truncation.
   *
   * @param {Face[]} faces
   * @returns {Promise<Picture[]>}
   */
  async draw(faces) {
    const { site } = this;
    const values = faces.map((face) => valuesOf(face, site));
    /** @type {Record<string, OrtTensor>} */
    const given = {
      latents: batch(values.map(({ latent }) => latent)),
      truncation: new ort.Tensor("float32", [faces[0].truncation], []),
      shift: batch(faces.map((face) => this.shiftOf(face))),
    };
    if (site.labels.length) given.labels = batch(faces.map(({ label }) => this.oneHot(label)));
    if (site.noiseDim) given.noise = batch(values.map(({ noise }) => noise));
    const { images } = await this.session.run(given);
    const width = images.dims[3];
    const size = 3 * width * width;
    return faces.map((_, index) => {
      const image = images.data.subarray(index * size, (index + 1) * size);
      return { width, pixels: toPixels(image, width * width) };
    });
  }

  /**
   * @param {Face} face
   */
  shiftOf({ moves }) {
    const shift = new Float32Array(this.site.shiftDim);
    for (const [id, step] of Object.entries(moves))
      this.vectors.get(id)?.forEach((value, index) => (shift[index] += step * value));
    return shift;
  }

  /**
   * @param {string | null} label
   */
  oneHot(label) {
    return Float32Array.from(this.site.labels, (name) => Number(name === label));
  }
}

/**
 * Return the latent and the noise of a face.
 *
 * @param {Face} face
 * @param {Site} site
 */
function valuesOf({ seed, latent, noise }, { latentDim, noiseDim }) {
  if (latent === undefined) return valuesOfSeed(seed ?? 0, latentDim, noiseDim);
  return { latent, noise: noise ?? randn(new MersenneTwister(FIXED_NOISE), noiseDim) };
}

/**
 * @param {Float32Array[]} rows
 */
function batch(rows) {
  const dim = rows[0].length;
  const values = new Float32Array(rows.length * dim);
  rows.forEach((row, index) => values.set(row, index * dim));
  return new ort.Tensor("float32", values, [rows.length, dim]);
}

/**
 * Return three planes in [0, 1] as RGBA. Storing into a clamped array rounds to nearest.
 *
 * @param {Float32Array} image
 * @param {number} count of pixels
 */
function toPixels(image, count) {
  const pixels = new Uint8ClampedArray(4 * count);
  for (let index = 0; index < count; index++) {
    for (let channel = 0; channel < 3; channel++)
      pixels[4 * index + channel] = 255 * image[channel * count + index];
    pixels[4 * index + 3] = 255;
  }
  return pixels;
}

/**
 * @param {string} text base64
 */
function decode(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = characters.charCodeAt(index);
  return bytes;
}

/**
 * @param {Site} site
 * @param {Backend} backend
 * @param {(name: string) => Promise<ArrayBuffer>} read returns a file of the site
 * @param {() => void | Promise<void>} loadRuntime
 */
async function openModel(site, backend, read, loadRuntime) {
  const runtime = read(site.runtimes[backend].wasm);
  const weights = read(site.generator);
  await loadRuntime();
  ort.env.wasm.numThreads = 1; // more need headers that static servers do not send
  ort.env.wasm.wasmBinary = await unpack(await runtime);
  const session = await ort.InferenceSession.create(await weights, {
    executionProviders: [backend],
  });
  return new Model(site, session);
}

/**
 * @param {ArrayBuffer} packed by gzip
 */
function unpack(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
