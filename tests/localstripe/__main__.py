"""Runs a command beside a localstripe of its own: `python tests/localstripe COMMAND...`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STARTS_WITHIN_SECONDS = 30


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_listens(server: subprocess.Popen[bytes], port: int) -> None:
    """Returns as soon as a connection stands."""
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            sys.exit(f"localstripe ended at its start, with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"localstripe does not listen after {STARTS_WITHIN_SECONDS} s")


def main(command: list[str]) -> int:
    """The command's own exit status."""
    port = free_port()
    localstripe = Path(sys.executable).with_name("localstripe")
    with tempfile.TemporaryFile() as log:
        start = [str(localstripe), "--from-scratch", "--port", str(port)]
        server = subprocess.Popen(start, stdout=log, stderr=log)
        try:
            wait_until_it_listens(server, port)
            environment = {**os.environ, "LOCALSTRIPE_URL": f"http://127.0.0.1:{port}"}
            return subprocess.run(command, env=environment, check=False).returncode
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
