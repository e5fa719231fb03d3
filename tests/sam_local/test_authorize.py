"""One function the way the README says: `sam build` with cargo-lambda, then `sam local invoke`.

The function asked is the authorizer with a key that is none: its answer needs no table, which a function
in a lone container does not have.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ARCHITECTURE, FUNCTION, ROOT, sam

BASE_IMAGE = f"public.ecr.aws/lambda/provided:al2023-{ARCHITECTURE}"


def docker(*arguments: str) -> bool:
    """Whether a docker command succeeds."""
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, check=False, timeout=300).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def test_sam_local_invoke_refuses_a_malformed_key(built: Path) -> None:
    if not docker("info"):
        pytest.skip("sam local invoke was not tried: no Docker engine answers here")
    if not docker("image", "inspect", BASE_IMAGE) and not docker("pull", BASE_IMAGE):
        pytest.skip(f"sam local invoke was not tried: {BASE_IMAGE} cannot be pulled here (see .ci/base-image)")

    answer = sam(
        *("local", "invoke", FUNCTION, "--template", str(built.parent / "template.yaml"), "--skip-pull-image"),
        *("--event", str(ROOT / "tests/events/authorize.json")),
        *("--env-vars", str(Path(__file__).with_name("environment.json"))),
    )

    assert json.loads(answer.stdout)["isAuthorized"] is False
