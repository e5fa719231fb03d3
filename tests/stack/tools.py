"""The tools this needs: Python, cargo, and a virtual environment with the pinned Python tools."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys

from settings import REQUIREMENTS, ROOT, VENV
from steps import Problem, run_quietly, step

PYTHON_MIN = (3, 10)
_VENV_PYTHON = VENV / "bin" / "python"
_INSTALLED = VENV / "installed"


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
    """Rust is there; rustup brings the right version by itself."""
    if shutil.which("cargo") is None:
        raise Problem("cargo is not found. Install Rust from https://rustup.rs and open a new shell.")


def install() -> None:
    """Install the pinned tools into `.local/venv`, unless it holds exactly these already."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if _INSTALLED.exists() and _INSTALLED.read_text() == wanted:
        return
    if _in_venv():
        raise Problem("The tools changed. Deactivate the virtual environment .local/venv and try again.")
    log = VENV.with_name("tools.log")
    with step("Installing the Python tools"):
        shutil.rmtree(VENV, ignore_errors=True)
        run_quietly([sys.executable, "-m", "venv", str(VENV)], "The virtual environment was not made.", log, cwd=ROOT)
        # Everything is pinned, so there is nothing to resolve; and only what runs needs compiling.
        run_quietly(
            [str(_VENV_PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
            + ["--no-deps", "--no-compile", "-r", str(REQUIREMENTS)],
            "The tools could not be installed. Is a Python package index reachable?",
            log,
            cwd=ROOT,
        )
        _INSTALLED.write_text(wanted)


def continue_in_venv() -> None:
    """Start this program anew inside the virtual environment, if it is not there yet."""
    if not _in_venv():
        os.execv(_VENV_PYTHON, [str(_VENV_PYTHON), *sys.argv])


def path() -> str:
    """A PATH on which the installed tools come first."""
    return os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])


def _in_venv() -> bool:
    return VENV.exists() and os.path.realpath(sys.prefix) == os.path.realpath(VENV)
