"""`python -m anime_dcgan.studio`: serve the studio on this machine and open it in the browser."""

import contextlib
import re
import secrets
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from anime_dcgan.cli.checks import RUN, Text, boolean, file_path, integer, optional
from anime_dcgan.cli.command import command
from anime_dcgan.run.hub import fetch_below, is_on_hub
from anime_dcgan.run.runs import PACKAGED, find_run
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError, explain_os_error, reason_of

LOOPBACK_ADDRESSES = ("127.0.0.1", "localhost", "::1")
MIN_TOKEN_LENGTH = 16
DEFAULT_OUTPUTS = Path("outputs")
ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(:\d{1,5})?/?")


@command(
    "studio",
    run=optional(RUN),
    outputs=file_path("outputs"),
    folder=optional(file_path("outputs/.studio")),
    host=Text("an address", "127.0.0.1"),
    port=integer(0, 65535, example=8765),
    token=optional(Text("text", "a-long-random-text")),
    public=optional(Text("an address", "https://studio.example")),
    browser=boolean(),
)
def studio(config: DictConfig) -> None:
    """Serve the studio until Ctrl-C."""
    _check(config)
    if config.run is not None and is_on_hub(config.run):
        config.run = str(fetch_below(config.run, f"run={config.run}", Path(config.outputs)))
    outputs, only = _find_runs(config)
    folder = Path(config.folder) if config.folder is not None else outputs / ".studio"
    token = config.token
    is_local = config.host in LOOPBACK_ADDRESSES and config.public is None
    if token is None and not is_local:
        token = secrets.token_urlsafe(24)
    with (
        contextlib.closing(_listen(config.host, config.port)) as server_socket,
        _writable(folder, config.folder is None) as (writable, unsaved),
    ):
        app = _make_app(config, outputs, writable, only, token, unsaved)
        address = (config.public or _address(server_socket, config.host)).rstrip("/") + "/"
        _serve(app, server_socket, address + (f"?token={token}" if token else ""), config.browser)


@contextlib.contextmanager
def _writable(folder: Path, is_default: bool) -> Iterator[tuple[Path, str | None]]:
    """Yield the folder, or a temporary one with the reason why nothing can be saved there.

    A folder that the user named is never replaced.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for database in folder.glob("*.sqlite"):
            with database.open("ab"):
                pass
    except OSError as error:
        if is_default:
            unsaved = (
                f"{folder} cannot be written ({reason_of(error)}), so faces can be drawn here but "
                "not saved: use folder=... to save them elsewhere"
            )
            log(unsaved)
            with tempfile.TemporaryDirectory() as temporary:
                yield Path(temporary), unsaved
            return
    yield folder, None


def _check(config: DictConfig) -> None:
    if config.token is not None and len(config.token) < MIN_TOKEN_LENGTH:
        raise UserError(f"token=... must have at least {MIN_TOKEN_LENGTH} characters")
    if config.public is not None and not ORIGIN.fullmatch(config.public):
        raise UserError(
            f"public={config.public} is not an address without a path: "
            "use public=https://studio.example"
        )


def _find_runs(config: DictConfig) -> tuple[Path, str | None]:
    """Return the folder of all runs, and the name of the only run to show, or None for all."""
    outputs = Path(str(config.outputs))
    run = None if config.run is None else find_run(str(config.run), outputs)
    if run is None or run in PACKAGED.values():
        if outputs == DEFAULT_OUTPUTS:  # a training may begin while the studio is open
            with explain_os_error(f"{outputs} cannot be made", "use another outputs=..."):
                outputs.mkdir(exist_ok=True)
        if not outputs.is_dir():
            raise UserError(
                f"outputs={outputs} is not a folder: set outputs=... to the folder of your runs"
            )
        return outputs, config.run
    if run.resolve().is_relative_to(outputs.resolve()):
        return outputs, run.resolve().relative_to(outputs.resolve()).as_posix()
    return run.resolve().parent, run.resolve().name


def _listen(host: str, port: int) -> socket.socket:
    fix = "use another port=..., or port=0 for any free port"
    with _needs_extra(), explain_os_error(f"cannot listen on {host}:{port}", fix):
        from anime_dcgan.studio.server import listen

        return listen(host, port)


@contextlib.contextmanager
def _needs_extra() -> Iterator[None]:
    """Explain how to install a package of the studio that is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f'the studio needs the package {error.name}: pip install -e ".[studio]"'
        ) from None


def _make_app(
    config: DictConfig,
    outputs: Path,
    folder: Path,
    only: str | None,
    token: str | None,
    unsaved: str | None,
) -> Any:
    with _needs_extra():
        from anime_dcgan.studio.app import Settings, create_app
        from anime_dcgan.studio.security import LOOPBACK
    hosts = LOOPBACK if config.host in LOOPBACK_ADDRESSES else None
    with explain_os_error(f"folder={folder} cannot be written", "use another folder=..."):
        return create_app(Settings(outputs, folder, only, hosts, token, config.public, unsaved))


def _address(server_socket: socket.socket, host: str) -> str:
    port = server_socket.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        name = socket.gethostname()
    return f"http://{name}:{port}"


def _serve(app: Any, server_socket: socket.socket, address: str, browser: bool) -> None:
    from anime_dcgan.studio.server import make_server

    log(f"the studio is open at {address} (Ctrl-C closes it)")
    if "token=" in address:
        log(
            "warning: it is reachable from other machines, unencrypted; "
            "anyone with this address can render faces and change what is saved"
        )
    if browser:
        threading.Timer(0.5, webbrowser.open, (address,)).start()
    server = make_server(app, log_level="warning", timeout_graceful_shutdown=3)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after shutdown
        server.run(sockets=[server_socket])
    print("\nthe studio is closed", file=sys.stderr)


main = studio

if __name__ == "__main__":
    main()
