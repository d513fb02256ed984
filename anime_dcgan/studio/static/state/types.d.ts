/** Types shared by the modules of the studio. Those of the JSON API mirror schemas.py. */

export type Weights = "ema" | "raw";

/** Parameters of an address, as read. */
export type Params = Record<string, string | undefined>;

/** Parameters of an address to be written; empty, null and false values are omitted. */
export type ParamValues = Record<string, string | number | boolean | null | undefined>;

/** A checkpoint of a run, the set of weights in it, and the hash of these weights if it is known. */
export interface Generator {
  run: string;
  epoch: string;
  weights: Weights;
  digest?: string | null;
}

/** Parameters that name a generator, a truncation and a label. */
export interface GeneratorParams {
  run?: string;
  epoch?: string;
  weights?: string;
  digest?: string | null;
  truncation?: string | number | null;
  label?: string | null;
}

/** A face whose styles others take: a seed or a latent. */
export type Parent = number | string;

/** An immutable face: either `seed` or `latent` is set. */
export interface Face extends Generator {
  seed: number | null;
  latent: string | null;
  truncation: number;
  /** Steps along directions, in standard deviations, by direction: "sefa.0", or "sefa.0/4-9". */
  moves: Record<string, number>;
  /** Parents of style layers, by ranges such as "0-3". */
  mix: Record<string, Parent>;
  /** A class of a run with labels; null gives a seed its own. */
  label: string | null;
}

export interface Run {
  name: string;
  images: number | null;
  /** Numbered epochs with a checkpoint, in training order. */
  epochs: string[];
  /** Names of checkpoints: "best", "last". */
  aliases: string[];
  running: boolean;
  updated: number;
  model: string;
  settings: Record<string, string | number>;
  verdict: { name: string; epoch: number | null } | null;
  headline: string | null;
  best: { epoch: number | null; images: number; value: number } | null;
  floor: number | null;
  /** The checkpoint that the run began from. */
  origin: { run: string; epoch: string; images: number } | null;
  /** True if it comes with the program: there is no other run then. */
  packaged: boolean;
  problem: string | null;
}

/** Images seen, distance and epoch of one measurement. */
export type Measurement = [images: number, value: number, epoch: number | null];

export interface RunDetails extends Run {
  curve: Measurement[];
}

export type Origin = "breed" | "mix" | "edit" | "projection" | "make";

export interface SavedFace {
  id: number;
  face: Face;
  /** False if its generator is gone: only its stored picture remains. */
  drawable: boolean;
  name: string;
  story: string;
  favourite: boolean;
  how: Origin | null;
  parents: { id: number; share: number }[];
  collections: number[];
}

/** A request to save a face, or to change a saved one; absent values stay unchanged. */
export interface SaveRequest {
  face: Face;
  name?: string;
  story?: string;
  favourite?: boolean;
  how?: Origin;
  parents?: { face: Face; share: number }[];
  /** False saves new parents as ancestors only, which no list shows. */
  show_parents?: boolean;
}

export interface FamilyEdge {
  child: number;
  parent: number;
  share: number;
  how: Origin | null;
}

export interface Family {
  nodes: SavedFace[];
  edges: FamilyEdge[];
}

export interface Collection {
  id: number;
  name: string;
  count: number;
}

export interface Direction {
  id: string;
  /** Fraction of the variance that the direction explains. */
  strength: number;
  /** What steps of this sign change. */
  name: string;
  sign: 1 | -1;
  /** What steps of the other sign change; null if nothing measurable changes. */
  opposite: string | null;
  source: "user" | "inherited" | "measured" | "none";
  /** Change from -2 to 2 steps in standard deviations between faces, and its standard error. */
  effect: number;
  error: number;
}

export interface Directions {
  directions: Direction[];
  /** Largest step, in standard deviations. */
  range: number;
  /** Fraction of the names that are measured. */
  progress: number;
}

/** What a projection optimises. */
export type Variables = "latent" | "style" | "layers";

/** The nearest face so far of a projection. */
export interface Found {
  variables: Variables;
  face: Face | null;
  distance: number | null;
}

export interface Job {
  id: string;
  kind: "film" | "zip" | "projection";
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  /** Fraction done, in [0, 1]. */
  progress: number;
  seconds_left: number | null;
  detail: string;
  error: string | null;
  face: Face | null;
  found: Found[];
  file: string | null;
  file_name: string | null;
}

/** What a variation of a face changes. */
export type Part = "colour" | "shape";

/** A face, and the one that gave it its new part. */
export interface Variation {
  face: Face;
  donor: Face;
}

export interface Styles {
  layers: number;
  mapping: boolean;
  groups: Record<string, string>;
  labels: string[];
}

/** Faces of consecutive seeds. */
export interface ZipRequest extends Generator {
  seed: number;
  count: number;
  truncation: number;
  label: string | null;
}

export interface FilmRequest {
  faces: Face[];
  frames_per_face: number;
  frames_per_second: number;
  format: string;
  scale: number;
  layers: string | null;
}

export interface BreedRequest {
  parents: Face[];
  children: number;
  variation: number;
  seed: number;
  layers: string | null;
}

/** A view on the page. */
export interface View {
  title?: string;
  /** Called once after the view is created, and when its parameters change. */
  update?: (params: Params) => void;
  /** Called before another view replaces it. */
  leave?: () => void;
  /** Actions by key; an action that returns false leaves the key to the browser. */
  keys?: Record<string, (event: KeyboardEvent) => unknown>;
}

export type ViewFactory = (container: HTMLElement, params: Params) => View;

/** A button that shows a face; `saved` is set in the list of saved faces. */
export type Tile = HTMLButtonElement & { face: Face; saved?: SavedFace };
