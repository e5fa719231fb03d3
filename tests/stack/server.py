"""Starts MiniStack on the loopback interface and ends it by its process id."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import envfile
from settings import REGION, ROOT_CREDENTIALS, Settings
from steps import Problem, end_of, say, step

_START_SECONDS_MAX = 60
_STOP_SECONDS_MAX = 15
_PORTS_TRIED = 50
_PROGRAM = "from ministack.app import main; main()"


def recorded_port(settings: Settings) -> int | None:
    """The port of this stack's server if it runs, else nothing."""
    record = _record(settings)
    return record["port"] if record and _is_ours(record["pid"]) else None


def at_its_port(settings: Settings) -> Settings:
    """The settings with the port on which this stack runs or will run: the one chosen, else the first that is free."""
    running = recorded_port(settings)
    if running:
        if settings.port_was_chosen and running != settings.port:
            raise Problem(f"The stack runs on port {running} already. First: make down")
        return replace(settings, port=running)
    if not _taken(settings.port):
        return settings
    if settings.port_was_chosen:
        raise Problem(f"Port {settings.port} of 127.0.0.1 is taken by another program. Choose another RECOUP_PORT.")
    for port in range(settings.port + 1, settings.port + _PORTS_TRIED):
        if not _taken(port):
            say(f"Port {settings.port} of 127.0.0.1 is taken by another program, so the stack will be at {port}.")
            return replace(settings, port=port)
    raise Problem(f"All ports from {settings.port} on are taken. Choose another one: RECOUP_PORT=5000 make up")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(settings: Settings) -> None:
    """Start the server unless it runs. A new one knows nothing yet, so what is noted of the old one goes."""
    if recorded_port(settings) == settings.port and _answers(settings):
        return
    stop(settings)
    settings.deployed_file.unlink(missing_ok=True)
    envfile.forget(settings)
    with step(f"Starting MiniStack on {settings.endpoint}"):
        process = _spawn(settings)
        settings.server_file.write_text(json.dumps({"pid": process.pid, "port": settings.port}))
        deadline = time.monotonic() + _START_SECONDS_MAX
        while not _answers(settings):
            if process.poll() is not None or time.monotonic() > deadline:
                stop(settings)
                raise Problem(f"{end_of(settings.log('ministack'))}\nMiniStack did not start; its log is above.")
            time.sleep(0.1)


def stop(settings: Settings) -> bool:
    """End the server and the functions it runs; say whether there was one."""
    record = _record(settings)
    settings.server_file.unlink(missing_ok=True)
    if record is None or not _is_ours(record["pid"]):
        return False
    # It leads its own process group, in which its functions run: first ask, then leave nothing behind.
    _signal_group(record["pid"], signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS_MAX
    while _is_ours(record["pid"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    _signal_group(record["pid"], signal.SIGKILL)
    for name in ("tmp", "home"):
        shutil.rmtree(settings.state / name, ignore_errors=True)
    return True


def _signal_group(leader: int, ending: signal.Signals) -> None:
    try:
        os.killpg(leader, ending)
    except (ProcessLookupError, PermissionError):
        pass  # nobody is left


def _spawn(settings: Settings) -> subprocess.Popen[bytes]:
    for name in ("tmp", "home"):
        (settings.state / name).mkdir(parents=True, exist_ok=True)
    # The functions inherit this environment: nothing of the user's may reach them.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(settings.state / "home"),
        "TMPDIR": str(settings.state / "tmp"),
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(settings.port),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "false",
        "SFTP_ENABLED": "false",
        "AWS_ENDPOINT_URL": settings.endpoint,
        **ROOT_CREDENTIALS,
    }
    with settings.log("ministack").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            env=environment,
            cwd=settings.state,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _answers(settings: Settings) -> bool:
    try:
        with urllib.request.urlopen(f"{settings.endpoint}/_ministack/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _record(settings: Settings) -> dict[str, int] | None:
    try:
        return json.loads(settings.server_file.read_text())
    except (OSError, ValueError):
        return None


def _is_ours(pid: int) -> bool:
    """Whether that process lives and is a server started here: process ids are used again."""
    try:
        os.waitpid(pid, os.WNOHANG)  # our own child would stay a zombie otherwise
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    command = Path(f"/proc/{pid}/cmdline")
    if command.exists():
        return b"ministack" in command.read_bytes()
    listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return b"ministack" in listed.stdout
