"""One function in Lambda's own container, the way the README prints it: `sam build`, then `sam local invoke`.

The function asked is the authorizer with a key that is none: its answer needs no table, which a function in a lone
container does not have. The gateway lets the request pass with that reason, and without a tenant.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pages
import pytest

BASE_IMAGE = "public.ecr.aws/lambda/provided:al2023-x86_64"


def docker(*arguments: str) -> bool:
    """Whether a docker command succeeds."""
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, check=False, timeout=300).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def test_the_block_of_the_readme_refuses_a_malformed_key(
    built: Path, reader: pages.Reader, block: pages.Block
) -> None:
    if not docker("info"):
        pytest.skip("sam local invoke was not tried: no Docker engine answers here")
    if not docker("image", "inspect", BASE_IMAGE) and not docker("pull", BASE_IMAGE):
        pytest.skip(f"sam local invoke was not tried: {BASE_IMAGE} cannot be pulled here (see .ci/base-image)")

    code, printed = reader.shell(block.text)

    assert code == 0, printed
    (answer,) = re.findall(r"^\{.*\}$", printed, re.MULTILINE)
    assert json.loads(answer) == {"isAuthorized": True, "context": {"refused": "malformed"}}
