"""The steps of the Dockerfile without Docker: in a folder, as a user without a name or a home.

The absolute paths of the image lie below the folder, and packages are not installed but taken from
this environment. If root runs the tests, commands run as another user, in a file system that is
read-only except for the volumes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tests.documented import ROOT

USER = "12345"
READ_ONLY = """
while [ "$1" != -- ]; do mount --bind "$1" "$1" && shift; done
shift && mount --bind / / && mount -o remount,bind,ro / && exec "$@"
"""
ABSOLUTE = re.compile(r"(?<![\w.])/(?=(?:opt|srv|cache|source|tmp)\b)")
# The interpreter of a developer may lie in a private home, which another user cannot read.
CAPABILITIES = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each instruction of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)
    for line in text.replace("\\\n", " ").splitlines():
        name, _, rest = line.partition(" ")
        if name:
            yield name, re.sub(r"\s+", " ", rest).strip()


def context() -> list[str]:
    """Return the names in the checkout that .dockerignore lets in."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    return [line[1:] for line in lines if line.startswith("!")]


class Image:
    """What `docker build` makes, below a folder; `port` replaces that of the studio."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.work, self.volumes = folder, [str(folder / "tmp")]
        self.environment: dict[str, str] = {"PATH": os.defpath}
        self.command: list[str] = []
        self.healthcheck: list[str] = []
        (folder / "tmp").mkdir()
        (folder / "tmp").chmod(0o1777)
        for name, text in instructions():
            getattr(self, f"_{name.lower()}")(self._inside(text))

    def start(self, argv: list[str]) -> subprocess.Popen[str]:
        """Start a command as `docker run --user 12345 --read-only --tmpfs /tmp` does."""
        prefix: list[str] = []
        if os.geteuid() == 0 and shutil.which("unshare") and shutil.which("setpriv"):
            user = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *CAPABILITIES)
            mounts = ("unshare", "-m", "sh", "-ec", READ_ONLY, "sh", *self.volumes, "--")
            prefix = [*mounts, "setpriv", *user]
        return subprocess.Popen(
            [*prefix, "env", *argv],  # `env` finds the command in the PATH of the image
            cwd=self.work,
            env={**self.environment, "TMPDIR": str(self.folder / "tmp")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _inside(self, text: str) -> str:
        return ABSOLUTE.sub(f"{self.folder}/", text).replace("8765", str(self.port))

    def _from(self, _: str) -> None:
        self.work = self.folder

    def _arg(self, text: str) -> None:
        name, _, value = text.partition("=")
        self.environment[name] = value

    def _env(self, text: str) -> None:
        for name, value in re.findall(r"(\w+)=(\S+)", text):
            self.environment[name] = value.replace("${PATH}", self.environment["PATH"])

    def _workdir(self, text: str) -> None:
        self.work = Path(text)
        self.work.mkdir(parents=True, exist_ok=True)

    def _copy(self, text: str) -> None:
        if text.startswith("--from="):
            return  # the stages share one folder
        *names, target = text.split()
        for name in names:
            assert name in context(), f".dockerignore leaves out {name}"
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, self.work / target, ignore=ignored)
            else:
                shutil.copy(ROOT / name, self.work / target)

    def _run(self, text: str) -> None:
        offline = "-q --no-index --no-deps --no-build-isolation"
        text = text.replace("python -m venv", f"{sys.executable} -m venv --without-pip")
        pip = f"{sys.executable} -m pip --python \\1/bin/python"
        for step in re.sub(r"(\S+)/bin/pip", pip, text).split(" && "):
            if "-m pip" in step:
                (site,) = self.folder.glob("opt/anime/lib/python*/site-packages")
                (site / "host.pth").write_text(sysconfig.get_path("purelib"))
                step = step.replace("--no-cache-dir", offline)
            subprocess.run(["sh", "-ec", step], cwd=self.work, env=self.environment, check=True)

    def _user(self, text: str) -> None:
        assert text.split(":")[0] not in ("0", "root")

    def _volume(self, text: str) -> None:
        self.volumes += json.loads(text)

    def _expose(self, text: str) -> None:
        assert text == str(self.port)

    def _healthcheck(self, text: str) -> None:
        self.healthcheck = json.loads(text[text.index("[") :])

    def _cmd(self, text: str) -> None:
        self.command = json.loads(text)
