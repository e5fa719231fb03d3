"""Runs a command while the functions of the running stack ask a stand-in for Stripe: `python tests/deployed COMMAND...`.

The stand-in is a test's (tests/processors); it listens at `RECOUP_STRIPE_URL`, which this chooses. Runs under
`.local/on-stack`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "stack"))
import running  # noqa: E402, of the stack

ASK_STRIPE = ["process-refund", "settle-refund", "reconcile"]


def main(command: list[str]) -> int:
    """The command's own exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    url = f"http://127.0.0.1:{running.free_port()}"
    with running.with_variables(ASK_STRIPE, {"STRIPE_BASE_URL": url}):
        return subprocess.run(command, env={**os.environ, "RECOUP_STRIPE_URL": url}, check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
