"""Progress that a person can follow, and failures that say what to do."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# Survives the change into the virtual environment, which starts the program anew.
_STARTED = float(os.environ.setdefault("RECOUP_STARTED_AT", str(time.time())))
_LOG_LINES_SHOWN = 25
_PROGRESS_SECONDS = 5


class Problem(Exception):
    """Something a person has to mend; its text says how."""


def say(text: str) -> None:
    """Print one line with the seconds since the start."""
    print(f"[{time.time() - _STARTED:4.0f} s] {text}", flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a step and, where it took a while, how long."""
    say(f"{text} ...")
    began = time.time()
    yield
    if (took := time.time() - began) >= 1:
        say(f"{text}: done in {took:.0f} s")


def run(command: Sequence[str], problem: str, *, cwd: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a command that shows its own progress; raise `problem` if it fails."""
    if subprocess.run(command, cwd=cwd, env=env, check=False).returncode != 0:
        raise Problem(problem)


def run_quietly(
    command: Sequence[str],
    problem: str,
    log: Path,
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    progress: Callable[[str], str] = lambda _: "",
) -> None:
    """Run a command into a log file; if it fails, show the end of the log and raise `problem`.

    Every few seconds `progress` makes a line of what the command has printed so far; it is shown if it is new.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    shown = ""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        while (code := _ended(process)) is None:
            told = progress(log.read_text(errors="replace"))
            if told != shown:
                say(f"    {told}")
            shown = told
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code != 0:
        raise Problem(f"{end_of(log)}\n{problem} The whole log: {log}")


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_PROGRESS_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def end_of(log: Path) -> str:
    """The last lines of a log file."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_LOG_LINES_SHOWN:])
