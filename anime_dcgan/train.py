"""`python -m anime_dcgan.train`: train a GAN on faces.

Lightning and torch are imported when the training begins, not with this module: the processes
that decode pictures import it anew, and the word about a mistyped override comes at once.
"""

import json
import re
import shlex
import sys
import tempfile
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from anime_dcgan.command import INTERRUPTED, command, fail
from anime_dcgan.console import is_first_process, say
from anime_dcgan.errors import UserError
from anime_dcgan.runs import by_epoch

OUTPUTS = Path("outputs")
NOT_THE_TRAINING = ("ckpt_path=", "run=", "preview=")  # overrides that do not say what is trained
SEVERAL_VALUES = re.compile(r"=.*[,(]")  # loss=bce,wgan or seed=range(3)
LONGEST_NAME = 200  # characters; file systems take 255


@command("train")
def train(config: DictConfig) -> None:
    run_dir = Path(config.run_dir)
    if config.preview:
        _preview(config, run_dir / "preview.png")
        return
    from anime_dcgan.training import Interrupted, fit

    last = run_dir / "checkpoints" / "last.ckpt"
    if is_first_process():
        if config.ckpt_path is None and last.exists():
            raise UserError(
                f"{run_dir} holds a run already: go on with ckpt_path=last, or name another run=..."
            )
        _write_provenance(config, run_dir)
    try:
        fit(config, run_dir, ckpt_path=last if config.ckpt_path == "last" else config.ckpt_path)
    except Interrupted:
        _tell(f"\nstopped, and saved in {run_dir}\n\nGo on: {_resume_command(run_dir)}")
        raise SystemExit(INTERRUPTED) from None
    if is_first_process():
        _write_report(run_dir)
        print(_what_next(run_dir))


def _preview(config: DictConfig, path: Path) -> None:
    from anime_dcgan.preview import write_preview

    columns = write_preview(config, path)
    print(f"preview      {path}\ncolumns      {columns}")


def _write_report(run_dir: Path) -> None:
    from anime_dcgan.page.write import write_report

    try:
        write_report(run_dir, run_dir / "report.html")
    except UserError as error:
        say(str(error))


def _tell(message: str) -> None:
    if is_first_process():
        print(message)


def _own_overrides(overrides: list[str]) -> list[str]:
    return [word for word in overrides if not word.startswith(NOT_THE_TRAINING)]


def _write_provenance(config: DictConfig, run_dir: Path) -> None:
    words = ["python", "-m", "anime_dcgan.train", *sys.argv[1:]]
    try:
        OmegaConf.save(config, run_dir / "config.yaml", resolve=True)
        with (run_dir / "command.txt").open("a") as file:
            file.write(shlex.join(words) + "\n")
    except OSError as error:
        raise UserError(f"{run_dir} cannot be written to: {error}; name another run=...") from None


def _resume_command(run_dir: Path) -> str:
    words = _own_overrides(sys.argv[1:])
    place = [] if run_dir.parent.name == OUTPUTS.name else [f"hydra.run.dir={run_dir}"]
    name = [f"run={run_dir.name}"] if not place else []
    words += [*name, *place, "ckpt_path=last"]
    return shlex.join(["python", "-m", "anime_dcgan.train", *words])


def _what_next(run_dir: Path) -> str:
    grids = by_epoch(run_dir / "samples" / "ema", ".png")
    lines = ["", *_verdict(run_dir)]
    if grids:
        lines.append(f"faces        {grids[-1]}")
    if (run_dir / "samples" / "ema.gif").exists():
        lines.append(f"film         {run_dir / 'samples' / 'ema.gif'}")
    name = run_dir.name if run_dir.parent.name == OUTPUTS.name else run_dir
    return "\n".join(
        [
            *lines,
            f"checkpoints  {run_dir / 'checkpoints'}",
            f"curves       tensorboard --logdir {run_dir}",
            f"report       {run_dir / 'report.html'}",
            "",
            f"Draw:  python -m anime_dcgan.generate run={name} n=100 seed=1 out=faces.png",
        ]
    )


def _verdict(run_dir: Path) -> list[str]:
    try:
        said = json.loads((run_dir / "equilibrium.json").read_text(encoding="utf-8"))
    except OSError:
        return []
    place = f" since epoch {said['epoch']:g}" if said["epoch"] is not None else ""
    return [f"verdict      {said['verdict']}{place}: {'; '.join(said['reasons'])}"]


def find_last_run(overrides: list[str]) -> str | None:
    """The newest run below `outputs` that was started by these overrides."""
    wanted = sorted(_own_overrides(overrides))
    found: list[tuple[float, str]] = []
    for said in OUTPUTS.glob("*/.hydra/overrides.yaml"):
        checkpoint = said.parent.parent / "checkpoints" / "last.ckpt"
        same = sorted(_own_overrides(yaml.safe_load(said.read_text()) or [])) == wanted
        if same and checkpoint.exists():
            found.append((checkpoint.stat().st_mtime, said.parent.parent.name))
    return max(found)[1] if found else None


def varied(overrides: str) -> str:
    """Of a job's overrides, joined by commas, those that the sweep varies: its folder's name."""
    keys = {word.split("=")[0] for word in sys.argv[1:] if SEVERAL_VALUES.search(word)}
    parts = [part for part in overrides.split(",") if part.split("=")[0] in keys]
    return ",".join(parts or [overrides])[:LONGEST_NAME]


def main() -> None:
    """The console script. `ckpt_path=last` alone means the last run of the same command."""
    OmegaConf.register_new_resolver("varied", varied, replace=True)
    words = sys.argv[1:]
    named = any(word.startswith(("run=", "hydra.run.dir=")) for word in words)
    if "ckpt_path=last" in words and not named and not {"-m", "--multirun"} & set(words):
        run = find_last_run(words)
        if run is None:
            fail(
                f"ckpt_path=last: no run below {OUTPUTS}/ was started by this command; "
                "name one with run=..."
            )
        sys.argv.append(f"run={run}")
    _check_outputs(words)
    train()


def _check_outputs(words: list[str]) -> None:
    """Hydra makes the run's folder, and would end in a traceback where it cannot."""
    elsewhere = any(word.startswith("hydra.") and ".dir=" in word for word in words)
    if elsewhere or {"--cfg", "-c", "--help", "-h", "--info", "-i"} & set(words):
        return
    try:
        OUTPUTS.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=OUTPUTS):
            pass
    except OSError as error:
        fail(
            f"{OUTPUTS.absolute()} cannot be written to ({error.strerror}): "
            "start in another folder, or name one with hydra.run.dir=..."
        )


if __name__ == "__main__":
    main()
