// @ts-check
/** Torch's random numbers on the CPU, so that a seed is the same face as in Python. */

const STATE_SIZE = 624;
const SHIFT = 397;
const TWO_PI = Math.fround(2 * Math.PI);

/** The Mersenne Twister MT19937 (Matsumoto & Nishimura 1998), seeded as torch seeds it. */
class MersenneTwister {
  /** @param {number} seed in 0..2^32 - 1 */
  constructor(seed) {
    this.state = new Uint32Array(STATE_SIZE);
    this.state[0] = seed;
    for (let index = 1; index < STATE_SIZE; index++) {
      const before = this.state[index - 1];
      this.state[index] = Math.imul(1812433253, before ^ (before >>> 30)) + index;
    }
    this.position = STATE_SIZE;
    /** The second value of a pair of `normal`, which the next call returns. */
    this.spare = /** @type {number | null} */ (null);
  }

  /** Return the next 32 bits. */
  next() {
    if (this.position === STATE_SIZE) this.twist();
    let bits = this.state[this.position++];
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  }

  twist() {
    const { state } = this;
    for (let index = 0; index < STATE_SIZE; index++) {
      const following = state[(index + 1) % STATE_SIZE];
      const bits = (state[index] & 0x80000000) | (following & 0x7fffffff);
      const mixed = (bits >>> 1) ^ (following & 1 ? 0x9908b0df : 0);
      state[index] = state[(index + SHIFT) % STATE_SIZE] ^ mixed;
    }
    this.position = 0;
  }

  /** Return a float32 in [0, 1). */
  uniform() {
    return (this.next() & 0xffffff) / 0x1000000;
  }

  /** Return a float64 in [0, 1). */
  uniformDouble() {
    const high = this.next() & 0x1fffff;
    return (high * 0x100000000 + this.next()) / 0x20000000000000;
  }

  /** Return a standard normal float64 (Box & Muller 1958), one of a pair. */
  normal() {
    if (this.spare !== null) {
      const value = this.spare;
      this.spare = null;
      return value;
    }
    const angle = 2 * Math.PI * this.uniformDouble();
    const radius = Math.sqrt(-2 * Math.log1p(-this.uniformDouble()));
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

/**
 * Return what `torch.randn(count, generator=random)` returns.
 *
 * Torch fills 16 and more values in blocks of 16 float32, and fewer ones in pairs of float64.
 *
 * @param {MersenneTwister} random
 * @param {number} count
 */
function randn(random, count) {
  const values = new Float32Array(count);
  if (count < 16) return values.map(() => random.normal());
  for (let index = 0; index < count; index++) values[index] = random.uniform();
  for (let start = 0; start + 16 <= count; start += 16) makeNormal(values, start);
  if (count % 16) {
    for (let index = count - 16; index < count; index++) values[index] = random.uniform();
    makeNormal(values, count - 16);
  }
  return values;
}

/**
 * Turn 16 uniform values into standard normal ones.
 *
 * @param {Float32Array} values
 * @param {number} start
 */
function makeNormal(values, start) {
  for (let index = start; index < start + 8; index++) {
    const radius = Math.fround(Math.sqrt(-2 * Math.log(Math.fround(1 - values[index]))));
    const angle = Math.fround(TWO_PI * values[index + 8]);
    values[index] = radius * Math.cos(angle);
    values[index + 8] = radius * Math.sin(angle);
  }
}

/**
 * Return the latent of a seed, and the noise that is drawn after it.
 *
 * @param {number} seed
 * @param {number} latentDim
 * @param {number} noiseDim
 */
function valuesOfSeed(seed, latentDim, noiseDim) {
  const random = new MersenneTwister(seed);
  const latent = randn(random, latentDim);
  return { latent, noise: noiseDim ? randn(random, noiseDim) : new Float32Array(0) };
}
