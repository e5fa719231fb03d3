"""Builds one function with the README's own block for Lambda's container, as printed, in a clean environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "newcomer"))
import pages  # noqa: E402, of the newcomer

# The command at the beginning of a line: a comment of another block names it, too.
INVOKE = "\nsam local invoke"


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> pages.Reader:
    """Somebody who pastes what the README prints."""
    return pages.Reader(ROOT, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="session")
def block() -> pages.Block:
    """The README's block that invokes a function in Lambda's own container."""
    (found,) = [block for block in pages.blocks(ROOT, "README.md") if INVOKE in block.text]
    return found


@pytest.fixture(scope="session")
def built(reader: pages.Reader, block: pages.Block) -> Path:
    """The folder of the built function; its binary is `bootstrap`."""
    code, printed = reader.shell(block.text.partition(INVOKE)[0] + "\n")
    assert code == 0, printed
    return ROOT / ".aws-sam" / "build" / "AuthorizeFunction"
