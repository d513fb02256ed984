// @ts-check
/** Pictures that are loaded a few at a time while they are in view. */

import { getPicture } from "../state/api.js";

/** A browser opens six connections to a host: the others stay free for the faces of a wall. */
const AT_ONCE = 2;
const MARGIN = "300px";

/**
 * Return a loader. Pictures that are scrolled out of view before they have begun to load, or that
 * are loading when the view is left, cost the server nothing more.
 */
export function lazyPictures() {
  /** @type {Map<Element, string>} */
  const urls = new Map();
  /** @type {Set<HTMLImageElement>} */
  const visible = new Set();
  const controller = new AbortController();
  let loading = 0;

  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) visible.add(/** @type {HTMLImageElement} */ (target));
        else visible.delete(/** @type {HTMLImageElement} */ (target));
      }
      loadNext();
    },
    { rootMargin: MARGIN },
  );

  function loadNext() {
    while (loading < AT_ONCE && visible.size && !controller.signal.aborted) {
      const [image] = visible;
      visible.delete(image);
      observer.unobserve(image);
      load(image, urls.get(image) ?? "");
    }
  }
  /**
   * @param {HTMLImageElement} image
   * @param {string} url
   */
  async function load(image, url) {
    loading += 1;
    try {
      const blob = await getPicture(url, controller.signal, { Priority: "u=6" });
      const source = URL.createObjectURL(blob);
      image.addEventListener("load", () => URL.revokeObjectURL(source), { once: true });
      image.src = source;
    } catch {
      // The row describes the run without its picture; a lost server has its own banner.
    }
    loading -= 1;
    loadNext();
  }
  return {
    /**
     * @param {HTMLImageElement} image
     * @param {string} url
     */
    add(image, url) {
      urls.set(image, url);
      observer.observe(image);
    },
    leave() {
      controller.abort();
      observer.disconnect();
    },
  };
}
