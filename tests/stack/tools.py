"""The tools this needs: Python, cargo, and a virtual environment with the pinned Python tools."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys

from settings import HASHES, REQUIREMENTS, ROOT, VENV
from steps import Problem, run_quietly, step

PYTHON_MIN = (3, 10)
_VENV_PYTHON = VENV / "bin" / "python"
# Begins each part of the requirements; the first one is what `make up` needs.
_PART = "# ---- "


def check_python() -> None:
    """This very interpreter is new enough and can make virtual environments."""
    wanted = ".".join(map(str, PYTHON_MIN))
    if sys.version_info < PYTHON_MIN:
        raise Problem(
            f"Python {wanted} or newer is needed, this is {sys.version.split()[0]}. "
            "Install one and name it: make PYTHON=python3.12 up"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Problem(
            "This Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"
        ) from None


def check_cargo() -> None:
    """Rust and a linker are there; rustup brings the right version by itself."""
    if shutil.which("cargo") is None:
        raise Problem("cargo is not found. Install Rust from https://rustup.rs and open a new shell.")
    if shutil.which("cc") is None:
        raise Problem("A C compiler (cc) is not found. On Debian and Ubuntu: apt install gcc libc6-dev")


def install(*, everything: bool) -> None:
    """Install what the local stack needs, or all pinned tools, unless exactly these are there already."""
    _, stack, rest = REQUIREMENTS.read_text().split(_PART)
    for name, part in (("stack", stack), ("rest", rest))[: 2 if everything else 1]:
        _install_part(name, [_with_hashes(line) for line in part.splitlines() if "==" in line])


def _with_hashes(requirement: str) -> str:
    """The requirement as pip holds it against what it fetches."""
    pin = requirement.split(";")[0].strip()
    for line in HASHES.read_text().splitlines():
        listed, *digests = line.split()
        if listed == pin:
            return " ".join([requirement, *(f"--hash=sha256:{digest}" for digest in digests)])
    raise Problem(f"hashes.txt lacks {pin}: run python3 tests/stack/hashes.py")


def _install_part(name: str, packages: list[str]) -> None:
    noted = VENV / f"installed-{name}"
    wanted = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()
    if noted.exists() and noted.read_text() == wanted:
        return
    if in_venv():
        raise Problem("The tools changed. Deactivate the virtual environment .local/venv and try again.")
    log = VENV.with_name(f"tools-{name}.log")
    what = "the Python tools of the local stack" if name == "stack" else "the tools for AWS and for the tests"
    with step(f"Installing {what}"):
        if name == "stack":
            shutil.rmtree(VENV, ignore_errors=True)
            run_quietly([sys.executable, "-m", "venv", str(VENV)], "The virtual environment was not made.", log, cwd=ROOT)
        listed = VENV / f"requirements-{name}.txt"
        listed.write_text("\n".join(packages) + "\n")
        # Everything is pinned, so there is nothing to resolve; and only what runs needs compiling.
        run_quietly(
            [str(_VENV_PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
            + ["--no-deps", "--no-compile", "--require-hashes", "-r", str(listed)],
            "The tools could not be installed. Is a Python package index reachable?",
            log,
            cwd=ROOT,
            progress=_Packages(len(packages)).told,
        )
        noted.write_text(wanted)


class _Packages:
    """Tells how far pip is, from what it prints."""

    def __init__(self, total: int) -> None:
        self.total = total

    def told(self, printed: str) -> str:
        """One line about it."""
        if "\nInstalling collected packages" in printed:
            return "all tools fetched, unpacking them"
        fetched = len(re.findall(r"^Collecting ", printed, re.MULTILINE))
        return f"{fetched} of {self.total} tools fetched"


def continue_in_venv() -> None:
    """Start this program anew inside the virtual environment, if it is not there yet."""
    if not in_venv():
        os.execv(_VENV_PYTHON, [str(_VENV_PYTHON), *sys.argv])


def in_venv() -> bool:
    """Whether this is the interpreter of the virtual environment."""
    return VENV.exists() and os.path.realpath(sys.prefix) == os.path.realpath(VENV)
