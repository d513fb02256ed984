/** What `sharing/site.py` writes into data.js, and the parts of onnxruntime-web that are used. */

interface Site {
  title: string;
  version: string;
  /** Names of files that the page loads itself, each with the version as its query. */
  generator: string;
  runtimes: Record<"wasm" | "webgpu", { script: string; wasm: string }>;
  latentDim: number;
  noiseDim: number;
  shiftDim: number;
  labels: string[];
  /** With what the left and the right end of a slider change, and the vector as base64. */
  directions: { id: string; left: string; right: string; vector: string }[];
}

interface OrtTensor {
  data: Float32Array;
  dims: number[];
}

interface OrtSession {
  run(inputs: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
}

declare const ort: {
  env: { wasm: { numThreads: number; wasmBinary: ArrayBuffer } };
  InferenceSession: {
    create(model: ArrayBuffer, options: { executionProviders: string[] }): Promise<OrtSession>;
  };
  Tensor: new (type: "float32", values: Float32Array | number[], dims: number[]) => OrtTensor;
};

declare const SITE: Site;

declare function importScripts(...addresses: string[]): void;

interface Window {
  /** Files as base64, by name, which scripts define where a page cannot read files. */
  siteFiles?: Record<string, string>;
}
