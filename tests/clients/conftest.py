"""Generates a client with each of two generators, from openapi.yaml into `.local/clients`."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "stack"))
import running  # noqa: E402, of the stack

DESCRIPTION = ROOT / "openapi.yaml"
CLIENTS = ROOT / ".local" / "clients"

# What openapi-generator says that loses nothing: a name that its language lacks becomes another name, it calls its
# reading of OpenAPI 3.1 a beta, and it looks in vain for the name of a schema that is no reference.
HARMLESS = re.compile(r"Renamed to|OpenAPI 3\.1 support is still in beta|Failed to get the schema name: null")


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.fixture(scope="session")
def python_client() -> Path:
    """The package that openapi-python-client makes; any warning fails."""
    if sys.version_info < (3, 11):
        pytest.skip("openapi-python-client needs Python 3.11")
    package = CLIENTS / "python" / "recoup_client"
    shutil.rmtree(package.parent, ignore_errors=True)
    package.parent.mkdir(parents=True)
    # Its hooks format what it made, with what it finds on the PATH; nobody reads that.
    settings = package.parent / "settings.json"
    # It knows no lines of JSON; to it they are bytes.
    lines = {"application/x-ndjson": "application/octet-stream"}
    settings.write_text(json.dumps({"post_hooks": [], "content_type_overrides": lines}))
    generate = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
    _run([*generate, "--config", str(settings), "--path", str(DESCRIPTION), "--output-path", str(package)])
    sys.path.insert(0, str(package.parent))
    importlib.invalidate_caches()
    return package


@pytest.fixture(scope="session")
def rust_client() -> Path:
    """The crate that openapi-generator makes; a warning that is not known to be harmless fails."""
    if shutil.which("java") is None:
        pytest.skip("openapi-generator needs Java")
    import openapi_generator_cli

    crate = CLIENTS / "rust"
    shutil.rmtree(crate, ignore_errors=True)
    jar = Path(openapi_generator_cli.__file__).with_name("openapi-generator.jar")
    options = "library=reqwest,packageName=recoup-client,supportAsync=false"
    generate = ["java", "-jar", str(jar), "generate", "-g", "rust", "--additional-properties", options]
    said = _run([*generate, "-i", str(DESCRIPTION), "-o", str(crate)])
    warnings = [line for line in said.splitlines() if re.search(r"\b(WARN|ERROR)\b", line)]
    assert [line for line in warnings if not HARMLESS.search(line)] == []
    return crate


@pytest.fixture(scope="session")
def stack() -> dict[str, str]:
    """The running stack's address, and a key of an account that nobody else fills."""
    account = _admin({"command": "create_account", "name": "Generated clients"})["account_id"]
    key = _admin({"command": "create_api_key", "account_id": account, "environment": "sandbox"})
    return {"RECOUP_URL": running.of_stack("RECOUP_URL"), "RECOUP_API_KEY": key["secret"]}


def _admin(command: dict[str, str]) -> dict[str, Any]:
    function = running.of_stack("RECOUP_ADMIN_FUNCTION")
    answer = running.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"operator": "tests", **command}))
    return json.loads(answer["Payload"].read())
