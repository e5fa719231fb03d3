"""Lists what each function is made of, in CycloneDX, into .local/sbom: `python tests/stack/sbom.py CARGO_CYCLONEDX`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SBOM = ROOT / ".local" / "sbom"
# What runs on AWS by default.
TARGET = "aarch64-unknown-linux-gnu"


def main(tool: str) -> None:
    # The tool writes beside each crate's manifest; nothing is left there.
    written = f"sbom-{os.getpid()}"
    command = [str(Path(tool).resolve()), "cyclonedx", "-q", "--format", "json", "--spec-version", "1.5"]
    command += ["--target", TARGET, "--no-build-deps", "--override-filename", written]
    shutil.rmtree(SBOM, ignore_errors=True)
    SBOM.mkdir(parents=True)
    try:
        subprocess.run(command, cwd=ROOT, check=True)
        for function in sorted((ROOT / "functions").iterdir()):
            listed = json.loads((function / f"{written}.json").read_text())
            names = {component["name"] for component in listed["components"]}
            if "tokio" not in names or "dynoxide-rs" in names:
                sys.exit(f"The list of {function.name} is not what it is made of: {len(names)} components")
            (SBOM / f"{function.name}.json").write_text(json.dumps(listed, indent=1))
    finally:
        for left in ROOT.glob(f"*/*/{written}.json"):
            left.unlink()
    print(f"{len(list(SBOM.iterdir()))} lists in {SBOM.relative_to(ROOT)}")


main(sys.argv[1])
