"""Writes hashes.txt: the SHA-256 of every file of each pinned tool, as PyPI has them. Run it after a pin has changed.

    python3 tests/stack/hashes.py
"""

from __future__ import annotations

import json
import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
_INDEX = "https://pypi.org/simple"
_JSON = "application/vnd.pypi.simple.v1+json"


def _normal(name: str) -> str:
    """A package's name as files and the index spell it, whatever its dots, dashes and capitals."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_of(filename: str, name: str, version: str) -> bool:
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    parts = stem.split("-") if filename.endswith(".whl") else stem.rsplit("-", 1)
    return len(parts) > 1 and _normal(parts[0]) == _normal(name) and parts[1] == version


def digests(pin: str) -> str:
    """One line of hashes.txt."""
    name, version = pin.split("==")
    request = urllib.request.Request(f"{_INDEX}/{_normal(name)}/", headers={"Accept": _JSON})
    with urllib.request.urlopen(request, timeout=60) as answer:
        files = json.load(answer)["files"]
    found = sorted(file["hashes"]["sha256"] for file in files if _is_of(file["filename"], name, version))
    if not found:
        raise SystemExit(f"PyPI has no file of {pin}")
    return " ".join([pin, *found])


def main() -> None:
    lines = (HERE / "requirements.txt").read_text().splitlines()
    pins = sorted({line.split(";")[0].strip() for line in lines if "==" in line and not line.startswith("#")})
    with ThreadPoolExecutor(8) as pool:
        (HERE / "hashes.txt").write_text("\n".join(pool.map(digests, pins)) + "\n")


if __name__ == "__main__":
    main()
