"""The files of onnxruntime-web that a published site contains.

They come from the registry of npm, with a known checksum, or from a folder that the user names.
Each build is a script and a WebAssembly module. The script is changed from a module into a classic
script, because pages that are opened from disk cannot import modules.
"""

import base64
import gzip
import hashlib
import importlib.util
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anime_dcgan.system.errors import UserError, describe, explain_os_error

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8p"
    "ZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
"""SHA-512 of the package's archive, as npm writes it."""
DOWNLOAD_SECONDS = 600
LICENSES = {"LICENSE": "LICENSE.txt", "ThirdPartyNotices.txt": "ThirdPartyNotices.txt"}
"""Files of the Python package onnxruntime, of the same project, and their names in a site."""
EXPORTS = re.compile(r"export\s*\{([^{}]*)\};?\s*(?://# sourceMappingURL=\S*\s*)?$")


@dataclass(frozen=True)
class Build:
    """A build of onnxruntime-web: its files in the package, and the name of those in a site."""

    name: str
    script: str
    wasm: str

    @property
    def site_script(self) -> str:
        return f"runtime/{self.name}.js"

    @property
    def site_wasm(self) -> str:
        return f"runtime/{self.name}.wasm.bin"  # .gz would make some servers unpack it


BUILDS = {
    "wasm": Build("wasm", "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": Build("webgpu", "ort.jspi.bundle.min.mjs", "ort-wasm-simd-threaded.jspi.wasm"),
}
"""The smallest builds for WebAssembly alone, and for WebGPU with WebAssembly for the rest. Browsers
download only one of them."""


@contextmanager
def find_runtime(folder: Path | None) -> Iterator[Path]:
    """Yield a folder with the files of `BUILDS`: `folder`, its subfolder dist, or a temporary one.

    Raises `UserError` if the files are missing and cannot be downloaded.
    """
    if folder is not None:
        yield _check_folder(folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        _download(Path(temporary))
        yield Path(temporary)


def _check_folder(folder: Path) -> Path:
    for candidate in (folder, folder / "dist"):
        if (candidate / BUILDS["wasm"].script).is_file():
            missing = [name for name in _files() if not (candidate / name).is_file()]
            if not missing:
                return candidate
            raise UserError(
                f"runtime={folder} lacks {missing[0]}: use the folder of {PACKAGE} {VERSION}"
            )
    raise UserError(
        f"runtime={folder} is not {PACKAGE}: use the folder of its package, which contains "
        f"dist/{BUILDS['wasm'].script}, or runtime=null to download it with npm"
    )


def _files() -> list[str]:
    return [name for build in BUILDS.values() for name in (build.script, build.wasm)]


def _download(folder: Path) -> None:
    """Download the package with npm, whose settings name the registry, and extract its files."""
    fix = f"use runtime=FOLDER with the package {PACKAGE} {VERSION}"
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"{PACKAGE} is downloaded with npm, which is not installed: {fix}")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--ignore-scripts"]
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, timeout=DOWNLOAD_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"{PACKAGE} cannot be downloaded ({describe(error)}): {fix}") from None
    (archive,) = folder.glob("*.tgz")
    if integrity(archive) != INTEGRITY:
        raise UserError(f"{PACKAGE} {VERSION} was downloaded with another checksum: {fix}")
    with tarfile.open(archive) as opened:
        for name in _files():
            source = opened.extractfile(f"package/dist/{name}")
            assert source is not None
            (folder / name).write_bytes(source.read())


def integrity(path: Path) -> str:
    """Return the SHA-512 of a file as npm writes it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def copy_runtime(source: Path, site: Path) -> None:
    """Write the scripts, the packed WebAssembly modules and the licences into a site."""
    (site / "runtime").mkdir()
    for build in BUILDS.values():
        text = (source / build.script).read_text(encoding="utf-8")
        (site / build.site_script).write_text(as_classic_script(text), encoding="utf-8")
        module = (source / build.wasm).read_bytes()
        (site / build.site_wasm).write_bytes(gzip.compress(module, mtime=0))
    for name, renamed in LICENSES.items():
        with explain_os_error(
            f"the licence {name} of onnxruntime is missing", 'pip install -e ".[export]" again'
        ):
            shutil.copyfile(_python_package() / name, site / "runtime" / renamed)


def _python_package() -> Path:
    found = importlib.util.find_spec("onnxruntime")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent


def as_classic_script(module: str) -> str:
    """Return a bundled JavaScript module as a script that defines `ort`.

    >>> as_classic_script("let a=1;export{a as b,c};")
    '(()=>{"use strict";let a=1;self.ort={b:a,c:c};})();\\n'
    """
    exports = EXPORTS.search(module)
    if exports is None:
        raise UserError(
            f"runtime=... is not {PACKAGE} {VERSION}: use runtime=null, or that version"
        )
    pairs = [name.split(" as ") for name in exports[1].split(",")]
    names = ",".join(f"{pair[-1].strip()}:{pair[0].strip()}" for pair in pairs)
    body = module[: exports.start()].replace("import.meta.url", "self.location.href")
    return f'(()=>{{"use strict";{body}self.ort={{{names}}};}})();\n'
