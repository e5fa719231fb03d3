"""Runs a command while one function reaches AWS through a faulty proxy only: `python tests/faults FUNCTION COMMAND...`.

The proxy is microburst. It fails what the command tells it to, under `RECOUP_FAULTS_URL`. Runs under
`.local/on-stack`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "stack"))
import running  # noqa: E402, of the stack

STARTS_WITHIN_SECONDS = 30
# The stack itself sets AWS_ENDPOINT_URL of its functions; those of single services go before it.
ENDPOINTS = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS")


@contextmanager
def proxy(upstream: str) -> Iterator[str]:
    """The URL of a proxy that lives as long as the block."""
    url = f"http://127.0.0.1:{(port := running.free_port())}"
    # A signature is for one host, so the proxy signs anew, as the stack's root: what the function may do is tried elsewhere.
    microburst = Path(sys.executable).with_name("microburst")
    with tempfile.TemporaryFile() as log:
        start = [str(microburst), "--upstream", upstream, "--port", str(port), "--resign"]
        server = subprocess.Popen(start, stdout=log, stderr=log)
        try:
            until = time.monotonic() + STARTS_WITHIN_SECONDS
            while not answers(url):
                if server.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    sys.exit(f"The faulty proxy did not start:\n{log.read().decode(errors='replace')}")
                time.sleep(0.05)
            yield url
        finally:
            server.terminate()
            server.wait()


def answers(url: str) -> bool:
    """Whether the proxy is there."""
    try:
        with urllib.request.urlopen(f"{url}/_microburst/health", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def reaching_aws_through(url: str, function: str) -> Iterator[None]:
    """The function speaks to this URL as long as the block lasts, and then as before."""
    # The proxy's first calls load descriptions of the services, for longer than a function waits.
    running.client("dynamodb", url).list_tables()
    running.client("sqs", url).list_queues()
    with running.with_variables([function], dict.fromkeys(ENDPOINTS, url)):
        yield


def main(function: str, command: list[str]) -> int:
    """The command's own exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with proxy(running.of_stack("AWS_ENDPOINT_URL")) as url, reaching_aws_through(url, function):
        return subprocess.run(command, env={**os.environ, "RECOUP_FAULTS_URL": url}, check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
