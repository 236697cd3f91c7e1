# SPDX-License-Identifier: MIT
"""The `lattice` command: run, new.

Quiet by design: `run` prints one line with the address. A mistake of the caller (no file, no
component, a syntax error, a port in use) is one line on stderr and exit code 2.
"""

from __future__ import annotations

import errno
import shutil
import socket
import sys
import traceback
import webbrowser
from pathlib import Path
from typing import Any, NoReturn

import click

from lattice import _app_file, _core
from lattice._inspect import inspect

LOOPBACK_HOSTS = {"localhost", "::1"}
TEMPLATE = Path(__file__).parent / "_templates" / "app"


def fail(message: str) -> NoReturn:
    """End with one line on stderr and exit code 2."""
    click.echo(f"lattice: {message}", err=True)
    sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_core.__version__, prog_name="lattice", message="Lattice %(version)s")
def main() -> None:
    """Live web pages from Python signals."""


@main.command()
@click.argument("target", metavar="APP.PY[:NAME]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Another host name under which the app may be reached; may be repeated.",
)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--reload", is_flag=True, help="Restart when a file beside the app changes.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
@click.option("--debug", is_flag=True, help="One handler thread, no timeouts, whole tracebacks.")
@click.option("--ssl-cert", type=click.Path(path_type=Path), help="Certificate chain (PEM).")
@click.option("--ssl-key", type=click.Path(path_type=Path), help="Private key (PEM).")
def run(
    target: str,
    host: str,
    allowed_hosts: tuple[str, ...],
    port: int,
    reload: bool,
    open_browser: bool,
    debug: bool,
    ssl_cert: Path | None,
    ssl_key: Path | None,
) -> None:
    """Serve the app, or the only component, or `main` of APP.PY."""
    check_tls(ssl_cert, ssl_key)
    file, name = _app_file.split_target(target)
    if reload:
        if not file.is_file():
            fail(f"{file} does not exist; give the path of a Python file")
        run_reloading(file, host, port)
    if debug:
        inspect()
    app = load_app(file, name, debug=debug)
    serve(
        app,
        open_browser=open_browser,
        host=host,
        port=port,
        allowed_hosts=allowed_hosts,
        ssl_cert=str(ssl_cert) if ssl_cert else None,
        ssl_key=str(ssl_key) if ssl_key else None,
        dev=debug or is_loopback(host),
        **({"handler_threads": 1} if debug else {}),
    )


def check_tls(cert: Path | None, key: Path | None) -> None:
    if (cert is None) != (key is None):
        fail("--ssl-cert and --ssl-key go together; one of them is missing")
    for file in (cert, key):
        if file is not None and not file.is_file():
            fail(f"{file} does not exist; --ssl-cert and --ssl-key want PEM files")


def is_loopback(host: str) -> bool:
    return host in LOOPBACK_HOSTS or host.startswith("127.")


def run_reloading(file: Path, host: str, port: int) -> NoReturn:
    """Become the parent that watches; the child gets the same words without --reload, --open."""
    from lattice._reload import serve_reloading

    words = [word for word in sys.argv[1:] if word not in ("--reload", "--open")]
    if port == 0:  # chosen once, so that open pages find the next child; the last --port counts
        words += ["--port", str(free_port(host))]
    command = [sys.executable, "-m", "lattice", *words]
    first_only = ["--open"] if "--open" in sys.argv else []
    folder = file.resolve().parent
    sys.exit(serve_reloading(command, folder, click.echo, first_only=first_only))


def free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def load_app(file: Path, name: str | None, *, debug: bool = False) -> Any:
    """A LatticeApp from an app file; ends the program when there is none."""
    from lattice.server import LatticeApp, loading_app

    try:
        with loading_app():
            module = _app_file.load(file)
        found = _app_file.find_app(module, file, name, LatticeApp)
    except _app_file.AppFileError as error:
        if debug and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        fail(str(error))
    return found if isinstance(found, LatticeApp) else LatticeApp(found)


def serve(app: Any, *, open_browser: bool, **options: Any) -> None:
    """Run an app until it is stopped; what keeps it from listening is one line and code 2."""
    ready = False

    def announce(url: str) -> None:
        nonlocal ready
        ready = True
        click.echo(f"Lattice {_core.__version__}  {url}")
        if open_browser:
            webbrowser.open(url)

    try:
        app.run(on_ready=announce, **options)
    except (OSError, _core.LatticeError) as error:
        if ready:
            raise
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            port = options["port"]
            fail(
                f"port {port} is in use; stop the other program or take another: --port {port + 1}"
            )
        fail(" ".join(str(error).split()))


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def new(folder: Path) -> None:
    """Make a small app in DIR to start from."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fail(f"{folder} exists and is not empty; name a new folder")
    shutil.copytree(
        TEMPLATE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    click.echo(f"Made {folder}. Now:\n  lattice run {folder / 'app.py'} --reload")
