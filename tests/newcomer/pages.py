"""The shell blocks of the pages, each run as printed, in a fresh shell that knows nothing but PATH and HOME.

A block marked `sh` can be run by anybody who has the checkout; one marked `bash` needs an AWS account and is not run.
Behind a curl, a line `# 422 routing_required` says which status the answer has to have, and a word that has to be in
what the block prints. A curl without such a line has to be answered with 2xx. Every other command has to succeed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

# `make up` compiles everything.
SECONDS_MAX = 1800

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXPECTED = re.compile(r"^# (\d{3})(?: (\w[\w-]*))?", re.MULTILINE)
# Commands that go on until they are interrupted, and what they print or open once they are ready.
_STAYS = {"make listen": "Waiting for webhooks", "cargo lambda watch": "serve"}

_CURL = """#!/bin/sh
exec {curl} "$@" --silent --show-error --write-out '%{{stderr}}%{{http_code}}\\n' 2>>{statuses}
"""


@dataclass(frozen=True)
class Block:
    """One `sh` block of a page."""

    page: str
    line: int
    text: str

    @property
    def stays(self) -> str | None:
        """What it prints once it is ready, if it goes on until it is interrupted."""
        return next((ready for command, ready in _STAYS.items() if command in self.text), None)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def mistakes(self, exit_code: int, statuses: list[str], printed: str) -> list[str]:
        """What its run did otherwise than the page says."""
        found = [] if exit_code == 0 else [f"exit code {exit_code}"]
        wanted = _EXPECTED.findall(self.text)
        expected = [status for status, _ in wanted]
        if re.search(r"^\s*(until|while) ", self.text, re.MULTILINE):
            # A loop asks as often as it has to.
            expected, statuses = _without_repeats(expected), _without_repeats(statuses)
        if wanted and statuses != expected:
            found.append(f"expected {' '.join(expected)}, got {' '.join(statuses) or 'nothing'}")
        if not wanted and any(not status.startswith("2") for status in statuses):
            found.append(f"expected 2xx, got {' '.join(statuses)}")
        return found + [f"nothing printed says {word}" for _, word in wanted if word and word not in printed]


def _without_repeats(statuses: list[str]) -> list[str]:
    return [status for before, status in zip(["", *statuses], statuses) if status != before]


def blocks(root: Path, page: str) -> list[Block]:
    """The `sh` blocks of a page."""
    text = (root / page).read_text(encoding="utf-8")
    return [Block(page, text.count("\n", 0, match.start()) + 1, match[1]) for match in _BLOCK.finditer(text)]


class Reader:
    """Somebody with a checkout who pastes one block after the other, each into a shell of its own."""

    def __init__(self, checkout: Path, desk: Path) -> None:
        """`desk` is a folder for what the reader notes, outside of the checkout."""
        self.checkout = checkout
        self.statuses = desk / "statuses"
        self.desk = desk
        self.open: list[tuple[Block, subprocess.Popen[bytes], Path]] = []
        curl = shutil.which("curl")
        if curl is None:
            raise SystemExit("curl is not found, which the pages use.")
        shims = desk / "bin"
        shims.mkdir(parents=True)
        (shims / "curl").write_text(_CURL.format(curl=curl, statuses=self.statuses))
        (shims / "curl").chmod(0o700)
        self.environment = {
            "PATH": os.pathsep.join([str(shims), os.environ.get("PATH", os.defpath)]),
            "HOME": os.environ.get("HOME", "/"),
        }

    def run(self, block: Block) -> tuple[list[str], str]:
        """Paste a block; return what went otherwise than printed, and what it printed."""
        if block.stays:
            return self._leave_open(block, block.stays)
        self.statuses.write_text("")
        exit_code, printed = self.shell(block.text)
        statuses = re.findall(r"^\d{3}$", self.statuses.read_text(), re.MULTILINE)
        errors = re.findall(r"^curl: .*$", self.statuses.read_text(), re.MULTILINE)
        return block.mistakes(exit_code, statuses, printed), "\n".join([printed, *errors])

    def shell(self, text: str) -> tuple[int, str]:
        """Run a script in a fresh shell; its exit code and all that it printed."""
        done = subprocess.run(
            ["sh", "-eu", "-c", text],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS_MAX,
            check=False,
        )
        return done.returncode, done.stdout

    def _leave_open(self, block: Block, ready: str) -> tuple[list[str], str]:
        """Start a block that stays, in a session of its own, and wait until it says that it is ready."""
        log = self.desk / f"open-{len(self.open)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["sh", "-eu", "-c", block.text],
                cwd=self.checkout,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.open.append((block, process, log))
        until = time.monotonic() + SECONDS_MAX
        while ready not in (printed := log.read_text(errors="replace")):
            if process.poll() is not None or time.monotonic() > until:
                return [f"it did not say {ready!r}"], printed
            time.sleep(0.1)
        return [], printed

    def interrupt(self) -> dict[str, str]:
        """End what was left open, as Ctrl-C does; what each has printed, by a word of its command."""
        printed = {}
        for block, process, log in self.open:
            for ending in (signal.SIGINT, signal.SIGKILL):
                try:
                    os.killpg(process.pid, ending)
                    process.wait(10)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
            printed[block.text.strip().splitlines()[-1]] = log.read_text(errors="replace")
        self.open.clear()
        return printed
