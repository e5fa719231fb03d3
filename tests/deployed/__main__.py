"""Runs a command beside what its tests need: `python tests/deployed api|faults FUNCTION|localstripe COMMAND...`.

`api`: the functions of the running stack ask a test's stand-in for Stripe (tests/api/processors), at
`RECOUP_STRIPE_URL`. `faults`: FUNCTION reaches AWS through microburst only, which fails what a test tells it to, under
`RECOUP_FAULTS_URL`. Both run under `.local/on-stack`. `localstripe`: it is at `LOCALSTRIPE_URL`; no stack is needed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "stack"))
import running  # noqa: E402, of the stack

STARTS_WITHIN_SECONDS = 30
ASK_STRIPE = ["process-refund", "settle-refund", "reconcile"]
# The stack itself sets AWS_ENDPOINT_URL of its functions; those of single services go before it.
ENDPOINTS = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS")


@contextmanager
def serving(tool: str, *arguments: str) -> Iterator[str]:
    """The URL of a Python tool's server, which lives as long as the block."""
    port = running.free_port()
    with tempfile.TemporaryFile() as log:
        start = [str(Path(sys.executable).with_name(tool)), *arguments, "--port", str(port)]
        server = subprocess.Popen(start, stdout=log, stderr=log)
        try:
            until = time.monotonic() + STARTS_WITHIN_SECONDS
            while not listens(port):
                if server.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    sys.exit(f"{tool} did not start:\n{log.read().decode(errors='replace')}")
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def listens(port: int) -> bool:
    """Whether a connection stands."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


@contextmanager
def api() -> Iterator[dict[str, str]]:
    """The functions that ask Stripe ask where a test will listen."""
    url = f"http://127.0.0.1:{running.free_port()}"
    with running.with_variables(ASK_STRIPE, {"STRIPE_BASE_URL": url}):
        yield {"RECOUP_STRIPE_URL": url}


@contextmanager
def faults(function: str) -> Iterator[dict[str, str]]:
    """The function reaches AWS through the proxy, which signs anew, as the stack's root: a signature is for one host."""
    with serving("microburst", "--upstream", running.of_stack("AWS_ENDPOINT_URL"), "--resign") as url:
        # The proxy's first calls load descriptions of the services, for longer than a function waits.
        running.client("dynamodb", url).list_tables()
        running.client("sqs", url).list_queues()
        with running.with_variables([function], dict.fromkeys(ENDPOINTS, url)):
            yield {"RECOUP_FAULTS_URL": url}


@contextmanager
def localstripe() -> Iterator[dict[str, str]]:
    """A stand-in for Stripe that others wrote."""
    with serving("localstripe", "--from-scratch") as url:
        yield {"LOCALSTRIPE_URL": url}


# What each room needs, and how many words of the command line are its own.
ROOMS: dict[str, tuple[Callable[..., object], int]] = {"api": (api, 0), "faults": (faults, 1), "localstripe": (localstripe, 0)}


def main(room: str, rest: list[str]) -> int:
    """The command's own exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    prepare, own = ROOMS[room]
    with prepare(*rest[:own]) as variables:
        return subprocess.run(rest[own:], env={**os.environ, **variables}, check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ROOMS:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
