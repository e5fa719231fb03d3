"""One function the way the README says: `sam build` with cargo-lambda, then `sam local invoke`.

The function asked is the authorizer with a key that is none: its answer needs no table, which a function
in a lone container does not have.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".local" / "sam" / "build"
FUNCTION = "AuthorizeFunction"
ARCHITECTURE = "arm64" if platform.machine().lower() in ("aarch64", "arm64") else "x86_64"
BASE_IMAGE = f"public.ecr.aws/lambda/provided:al2023-{ARCHITECTURE}"


def docker(*arguments: str) -> bool:
    """Whether a docker command succeeds."""
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, check=False, timeout=300).returncode == 0
    except subprocess.TimeoutExpired:
        return False


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


def test_sam_local_invoke_refuses_a_malformed_key() -> None:
    if not docker("info"):
        pytest.skip("sam local invoke was not tried: no Docker engine answers here")
    if not docker("image", "inspect", BASE_IMAGE) and not docker("pull", BASE_IMAGE):
        pytest.skip(f"sam local invoke was not tried: {BASE_IMAGE} cannot be pulled here (see .ci/base-image)")

    sam("build", FUNCTION, "--build-dir", str(BUILD))
    answer = sam(
        *("local", "invoke", FUNCTION, "--template", str(BUILD / "template.yaml"), "--skip-pull-image"),
        *("--event", str(ROOT / "tests/events/authorize.json")),
        *("--env-vars", str(Path(__file__).with_name("environment.json"))),
    )

    assert json.loads(answer.stdout)["isAuthorized"] is False
