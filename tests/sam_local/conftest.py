"""Builds one function as `sam build` does on AWS's behalf: cargo-lambda, release profile."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".local" / "sam" / "build"
FUNCTION = "AuthorizeFunction"
ARCHITECTURE = "arm64" if platform.machine().lower() in ("aarch64", "arm64") else "x86_64"


def sam(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run sam from the installed tools, for this machine's architecture, and insist on success."""
    tools = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CARGO_TARGET"))}
    environment |= {
        "PATH": os.pathsep.join([str(tools), os.environ["PATH"]]),
        "AWS_DEFAULT_REGION": "eu-central-1",
        "SAM_CLI_TELEMETRY": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "samcli", *arguments, "--parameter-overrides", f"Architecture={ARCHITECTURE}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the built function; its binary is `bootstrap`."""
    sam("build", FUNCTION, "--build-dir", str(BUILD))
    return BUILD / FUNCTION
