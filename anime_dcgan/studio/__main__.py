"""`python -m anime_dcgan.studio`: serve the studio on this machine and open it in the browser."""

import contextlib
import secrets
import socket
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from anime_dcgan.cli.command import command
from anime_dcgan.run.runs import find_run
from anime_dcgan.system.console import log
from anime_dcgan.system.errors import UserError

LOOPBACK_ADDRESSES = ("127.0.0.1", "localhost", "::1")
SHORTEST_TOKEN = 16


@command("studio")
def studio(config: DictConfig) -> None:
    _check(config)
    outputs, only = _place(config)
    folder = Path(config.folder) if config.folder is not None else outputs / ".studio"
    token = config.token
    if token is None and config.host not in LOOPBACK_ADDRESSES:
        token = secrets.token_urlsafe(24)
    listening = _listen(config.host, config.port)
    try:
        app = _make_app(config.host, outputs, folder, only, token)
        _serve(app, listening, _address(listening, config.host, token), config.browser)
    finally:
        listening.close()


def _check(config: DictConfig) -> None:
    port, token = config.port, config.token
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise UserError(f"port={port} is no port: use port=8765, or port=0 for any that is free")
    if not isinstance(config.host, str) or not config.host:
        raise UserError(f"host={config.host} is no address: use host=127.0.0.1 or host=0.0.0.0")
    if not isinstance(config.browser, bool):
        raise UserError(f"browser={config.browser} is neither: use browser=true or browser=false")
    if token is not None and (not isinstance(token, str) or len(token) < SHORTEST_TOKEN):
        raise UserError(f"token=... needs {SHORTEST_TOKEN} characters or more")


def _place(config: DictConfig) -> tuple[Path, str | None]:
    """The folder of all runs, and the one run that is wanted, if it is one."""
    outputs = Path(str(config.outputs))
    if config.run is None:
        if not outputs.is_dir():
            raise UserError(f"outputs={outputs} is no folder: name one with outputs=...")
        return outputs, None
    run = find_run(str(config.run), outputs)
    if run.resolve().is_relative_to(outputs.resolve()):
        return outputs, run.resolve().relative_to(outputs.resolve()).as_posix()
    return run.resolve().parent, run.resolve().name


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise UserError(
            f"{host}:{port} cannot be listened on ({error.strerror}): use another port=..., "
            "or port=0 for any that is free"
        ) from None
    return listening


def _make_app(host: str, outputs: Path, folder: Path, only: str | None, token: str | None) -> Any:
    try:
        from anime_dcgan.studio.app import Settings, create_app
        from anime_dcgan.studio.security import LOOPBACK
    except ModuleNotFoundError as error:
        raise UserError(
            f'the studio needs a package more ({error.name}): pip install -e ".[studio]"'
        ) from None
    hosts = LOOPBACK if host in LOOPBACK_ADDRESSES else None
    try:
        return create_app(Settings(outputs, folder, only, hosts, token))
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): name another folder=..."
        ) from None


def _address(listening: socket.socket, host: str, token: str | None) -> str:
    port = listening.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        name = socket.gethostname()
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def _serve(app: Any, listening: socket.socket, address: str, browser: bool) -> None:
    import uvicorn

    log(f"the studio is open at {address} (Ctrl-C closes it)")
    if "token=" in address:
        log(
            "warning: it may be reached from other machines, unencrypted; "
            "whoever has this address may draw, and change what is kept"
        )
    if browser:
        threading.Timer(0.5, webbrowser.open, (address,)).start()
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
        server_header=False,
        date_header=False,
    )
    with contextlib.suppress(KeyboardInterrupt):  # raised again when all is closed
        uvicorn.Server(config).run(sockets=[listening])
    print("\nthe studio is closed", file=sys.stderr)


main = studio

if __name__ == "__main__":
    main()
