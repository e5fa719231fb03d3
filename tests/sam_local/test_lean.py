"""What is deployed is lean: small, at home on Amazon Linux 2023, and quick to its first poll."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

# Measured: 5.0 MB and 1.3 million instructions. System roots alone would add 22 million, aws-lc 400 million.
SIZE_BYTES_MAX = 8 * 1024 * 1024
INSTRUCTIONS_MAX = 3_000_000
# The newest symbols that Amazon Linux 2023 has.
GLIBC_MAX = (2, 34)


def test_the_binary_is_small_and_stripped(built: Path) -> None:
    assert (built / "bootstrap").stat().st_size < SIZE_BYTES_MAX


def test_the_binary_runs_on_amazon_linux_2023(built: Path) -> None:
    wanted = re.findall(rb"GLIBC_(\d+)\.(\d+)", (built / "bootstrap").read_bytes())
    assert wanted
    assert max((int(major), int(minor)) for major, minor in wanted) <= GLIBC_MAX


def test_neither_aws_lc_nor_aws_config_is_in_it() -> None:
    lock = (Path(__file__).resolve().parents[2] / "Cargo.lock").read_text()
    assert not re.findall(r'^name = "(aws-lc-rs|aws-lc-sys|aws-config|openssl)"$', lock, re.MULTILINE)


def test_the_first_poll_takes_few_instructions(built: Path, tmp_path: Path) -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("instructions were not counted: valgrind is not installed")

    class RuntimeApi(http.server.BaseHTTPRequestHandler):
        """Lambda's Runtime API, which has nothing to do for anybody."""

        def do_GET(self) -> None:
            polls.append(self.path)
            function.terminate()

        def log_message(self, *_: object) -> None:
            pass

    polls: list[str] = []
    server = http.server.HTTPServer(("127.0.0.1", 0), RuntimeApi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "lean",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_LOG_STREAM_NAME": "lean",
        "AWS_LAMBDA_LOG_GROUP_NAME": "lean",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "TABLE_NAME": "none",
        "CREDENTIALS_TABLE_NAME": "none",
        "PEPPER_SECRET": "none",
        "TOKEN_SIGNING_SECRET": "none",
    }
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={tmp_path}/out", str(built / "bootstrap")]
    function = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    report = function.communicate(timeout=120)[1]
    server.shutdown()

    assert polls, report
    collected = re.search(r"Collected : (\d+)", report)
    assert collected, report
    assert int(collected[1]) < INSTRUCTIONS_MAX
