"""Plot the distances recorded under docs/research: by images seen, and by hours on one CPU core.

    python docs/images/results.py docs/images/results.png

The hours of `original` and of the former `best` follow from their speeds of 33 and 20 images/s on
one core; the other hours were measured, and those of `biggan` and `projected` follow from 50 and 90
images/s on a slower CPU (Zen 4) than those of the other recipes (Zen 5). `best_projected` ran on
the slower one, too.
"""

import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

FLOOR = 64.4
USUAL_LOOP = {85: 1477, 170: 1456, 255: 1275, 340: 845, 382: 999, 403: 1406}
ORIGINAL = {64: 1065, 85: 887, 106: 797, 128: 752, 149: 745}
ORIGINAL_ON_A_GPU = {
    **{106: 897, 213: 587, 319: 484, 425: 396, 531: 357, 638: 350},
    **{744: 333, 850: 316, 956: 300, 1062: 290, 1169: 273, 1275: 261, 1381: 255, 1488: 250},
    1594: 254,
}
BEST_SMALL_AT_FIRST = {20: 820, 40: 660, 60: 600, 80: 531, 100: 505}
BEST_SMALL = {180: 442, 340: 365, 500: 316, 680: 329, 760: 296, 767: 304}
FORMER_BEST = {64: 438, 85: 401, 106: 376}
BEST = {43: 487, 85: 348, 106: 322, 150: 288}
BEST_HOURS = [0.20, 0.40, 0.49, 0.71]
BIGGAN = {64: 492, 106: 385, 149: 333, 255: 298}
BEST_PROJECTED = {21: 205, 43: 173, 85: 136, 149: 122, 236: 126}
BEST_PROJECTED_HOURS = [0.18, 0.40, 0.76, 1.27, 2.0]
PROJECTED = {85: 256, 128: 223, 149: 210, 203: 183, 343: 163}
HOURS = [0.4, 0.8, 1.2, 1.7, 1.9, 2.0]
"""When the usual loop and best_small were measured side by side."""


def hours_at(images_per_second: float, course: dict[int, int]) -> list[float]:
    return [kimg * 1000 / images_per_second / 3600 for kimg in course]


def main() -> None:
    figure, (by_images, by_hours) = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True)
    usual = {"color": "tab:gray", "label": "usual loop"}
    original = {"color": "tab:orange", "label": "original"}
    small = {"color": "tab:blue", "label": "best_small"}
    former = {"color": "tab:olive", "label": "the former best"}
    best = {"color": "tab:green", "label": "best"}
    biggan = {"color": "tab:red", "label": "biggan"}
    projected = {"color": "tab:purple", "label": "projected (ImageNet)"}
    best_projected = {"color": "tab:pink", "label": "best_projected (ImageNet)"}
    by_images.plot(list(USUAL_LOOP), list(USUAL_LOOP.values()), "o-", **usual)
    by_images.plot(list(ORIGINAL), list(ORIGINAL.values()), "o-", **original)
    gpu = {**original, "label": "original, on a GPU"}
    by_images.plot(list(ORIGINAL_ON_A_GPU), list(ORIGINAL_ON_A_GPU.values()), "o--", **gpu)
    course = BEST_SMALL_AT_FIRST | BEST_SMALL
    by_images.plot(list(course), list(course.values()), "o-", **small)
    by_images.plot(list(FORMER_BEST), list(FORMER_BEST.values()), "o-", **former)
    by_images.plot(list(BEST), list(BEST.values()), "o-", **best)
    by_images.plot(list(BIGGAN), list(BIGGAN.values()), "o-", **biggan)
    by_images.plot(list(PROJECTED), list(PROJECTED.values()), "o-", **projected)
    by_images.plot(list(BEST_PROJECTED), list(BEST_PROJECTED.values()), "o-", **best_projected)
    by_images.set(xscale="log", yscale="log", xlabel="thousands of images", ylabel="fd")
    by_hours.plot(HOURS, list(USUAL_LOOP.values()), "o-", **usual)
    by_hours.plot(hours_at(33, ORIGINAL), list(ORIGINAL.values()), "o-", **original)
    by_hours.plot(HOURS, list(BEST_SMALL.values()), "o-", **small)
    by_hours.plot(hours_at(20, FORMER_BEST), list(FORMER_BEST.values()), "o-", **former)
    by_hours.plot(BEST_HOURS, list(BEST.values()), "o-", **best)
    by_hours.plot(hours_at(50, BIGGAN), list(BIGGAN.values()), "o-", **biggan)
    by_hours.plot(hours_at(90, PROJECTED), list(PROJECTED.values()), "o-", **projected)
    by_hours.plot(BEST_PROJECTED_HOURS, list(BEST_PROJECTED.values()), "o-", **best_projected)
    by_hours.set(xlabel="hours of training on one CPU core", xlim=(0, None))
    for axes in (by_images, by_hours):
        axes.axhline(FLOOR, color="black", linewidth=0.8, linestyle=":", label="real faces")
        axes.grid(alpha=0.3)
        axes.set_yticks([64, 100, 200, 400, 800, 1600], ["64", "100", "200", "400", "800", "1,600"])
        axes.minorticks_off()
    figure.tight_layout(rect=(0, 0.13, 1, 1))
    figure.legend(*by_images.get_legend_handles_labels(), loc="lower center", ncols=5)
    figure.savefig(sys.argv[1], dpi=110)


if __name__ == "__main__":
    main()
