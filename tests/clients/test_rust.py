"""The client of openapi-generator, in Rust, drives the running stack."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from conftest import CLIENTS

DRIVER = Path(__file__).with_name("rust")


def test_a_rust_program_refunds_through_the_client(rust_client: Path, stack: dict[str, str]) -> None:
    command = ["cargo", "run", "--quiet", "--locked", "--manifest-path", str(DRIVER / "Cargo.toml")]
    environment = {**os.environ, **stack, "CARGO_TARGET_DIR": str(CLIENTS / "target")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
