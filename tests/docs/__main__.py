"""Runs every curl that the README and docs/ print: `python3 tests/docs`, with a stack's values in the environment.

The `sh` blocks of a page that hold a curl run in one shell, in order, as a reader would paste them; `.local/env` is
the running stack's. Behind a curl, a line `# 422 routing_required` says which status the answer has to have, and a
word that has to be in what the block prints. A curl without such a line has to be answered with 2xx.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import account

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SECONDS_MAX = 120

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"^# (\d{3})(?: (\w[\w-]*))?", re.MULTILINE)
MARK = "@block "

# Each curl, wherever it stands, also writes its status to a file.
PRELUDE = """
curl() { command curl --silent --write-out '%{stderr}%{http_code}\\n' "$@" 2>>"$STATUSES"; }
"""


@dataclass(frozen=True)
class Block:
    """One `sh` block of a page."""

    line: int
    text: str

    def mistakes(self, statuses: list[str], printed: str) -> list[str]:
        """What its run did otherwise than the page says."""
        wanted = EXPECTED.findall(self.text)
        expected = [status for status, _ in wanted]
        if re.search(r"^\s*(until|while) ", self.text, re.MULTILINE):
            # A loop asks as often as it has to.
            expected, statuses = _without_repeats(expected), _without_repeats(statuses)
        if wanted and statuses != expected:
            return [f"expected {' '.join(expected)}, got {' '.join(statuses) or 'nothing'}"]
        if not wanted and (not statuses or any(not status.startswith("2") for status in statuses)):
            return [f"expected 2xx, got {' '.join(statuses) or 'nothing'}"]
        return [f"nothing printed says {word}" for _, word in wanted if word and word not in printed]


def _without_repeats(statuses: list[str]) -> list[str]:
    return [status for before, status in zip(["", *statuses], statuses) if status != before]


def blocks(page: str) -> list[Block]:
    """The blocks of a page that hold a curl."""
    found = BLOCK.finditer(page)
    return [Block(page.count("\n", 0, match.start()) + 1, match[1]) for match in found if "curl" in match[1]]


def _by_block(text: str) -> list[str]:
    """What was written after each mark."""
    return [part.partition("\n")[2] for part in text.split(MARK)[1:]]


def run(page: list[Block], values: dict[str, str]) -> list[tuple[Block, list[str], str]]:
    """Run a page; of each block, the statuses of its curls and what it printed."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / ".local"
        state.mkdir()
        exports = (f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
        (state / "env").write_text("".join(exports))
        statuses = Path(directory) / "statuses"
        mark = f"printf '\\n{MARK}%s\\n' {{0}}; printf '{MARK}%s\\n' {{0}} >>\"$STATUSES\"\n"
        script = PRELUDE + "".join(mark.format(block.line) + block.text for block in page)
        environment = {**os.environ, "STATUSES": str(statuses)}
        done = subprocess.run(
            ["sh", "-u", "-c", script],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        if done.stderr:
            sys.stderr.write(done.stderr)
        heard = _by_block(statuses.read_text())
        printed = _by_block(done.stdout)
        # A shell that gave up early has run fewer blocks.
        missing = [""] * len(page)
        return [
            (block, re.findall(r"^\d{3}$", codes, re.MULTILINE), text)
            for block, codes, text in zip(page, [*heard, *missing], [*printed, *missing])
        ]


def main() -> int:
    """Run all pages; 1 if one of them does not keep its word."""
    values = {name: value for name, value in os.environ.items() if name.startswith(("RECOUP_", "AWS_"))}
    if "RECOUP_URL" not in values:
        print("RECOUP_URL is not set: start a stack (`make up`) and read its values (`set -a; . .local/env`)")
        return 1
    values = account.make(values)
    wrong = 0
    for path in PAGES:
        page = blocks(path.read_text(encoding="utf-8"))
        if not page:
            continue
        curls = 0
        for block, statuses, printed in run(page, values):
            curls += len(statuses)
            for mistake in block.mistakes(statuses, printed):
                wrong += 1
                print(f"{path.relative_to(ROOT)}:{block.line}: {mistake}\n{printed.strip()}\n")
        print(f"{path.relative_to(ROOT)}: {curls} curls")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
