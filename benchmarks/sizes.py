"""Time and peak memory of a training step by the size of the images.

    python -m benchmarks.sizes experiment=best_small data.batch_size=8

    sizes=64,128,256   sides of the images, px
    steps=4            steps that count: a multiple of the intervals of the penalties

All other arguments are overrides of `train`. Each size runs in a separate process with one thread,
on images of noise, after one step in which kernels are chosen. The time is CPU time, so that other
work on the machine counts little, and the memory is the peak of the whole process.
"""

import sys
import time

import torch

from anime_dcgan.cli.command import instantiate
from anime_dcgan.system import precision
from benchmarks.measure import in_new_process, machine, memory, parse_options
from benchmarks.training import bare_step, compose_config

OPTIONS = {"sizes": "64,128,256", "steps": "4"}


def measure(overrides: list[str], size: int, steps: int) -> tuple[float, float]:
    """Return the seconds of the CPU per step, and the peak memory in MiB. Linux only."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = compose_config([*overrides, f"data.image_size={size}"])
    module = instantiate(config.gan)
    optimizers = module.configure_optimizers()
    real = torch.rand(config.data.batch_size, 3, size, size) * 2 - 1
    fast = precision.choose("cpu")[0] == precision.FAST
    bare_step(module, optimizers, real, 0, fast)
    start = time.process_time()
    for step in range(steps):
        bare_step(module, optimizers, real, step, fast)
    return (time.process_time() - start) / steps, memory("VmHWM")


def main() -> None:
    options, overrides = parse_options(OPTIONS, sys.argv[1:])
    first = None
    for size in map(int, options["sizes"].split(",")):
        seconds, peak = in_new_process(measure, overrides, size, int(options["steps"]))
        first = first or seconds
        print(
            f"{size} px: {seconds:.3g} s a step, {seconds / first:.1f} times the first; "
            f"{peak / 1024:.2f} GiB",
            flush=True,
        )
    print(f"{machine()}; {' '.join(sys.argv[1:])}")


if __name__ == "__main__":
    main()
