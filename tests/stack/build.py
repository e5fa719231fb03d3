"""Builds the functions for this machine and packages them the way `sam build` does.

MiniStack runs functions as processes of the host, so these are plain host binaries of cargo's own `dev` profile, which
tests, `cargo lambda watch` and `cargo build` share. What is deployed to AWS comes from `sam build` and the release
profile.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from settings import ROOT, Settings
from steps import Problem, run, step

_FUNCTION = "AWS::Serverless::Function"


def compile_functions() -> None:
    """Compile every function."""
    with step("Building the functions (the first time takes minutes)"):
        run(["cargo", "build", "--bins"], "The functions do not compile; cargo says why above.", cwd=ROOT)


def fingerprint(settings: Settings, template: Path) -> str:
    """A digest of everything that `sam deploy` would send."""
    digest = hashlib.sha256(json.dumps(settings.parameters(), sort_keys=True).encode())
    for path in [template, *sorted(settings.build.glob("*/bootstrap"))]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def package(settings: Settings) -> Path:
    """Put each function's binary into its own directory and write the template that names them; return its path."""
    from samcli.yamlhelper import yaml_dump, yaml_parse

    binaries = _target_directory() / "debug"
    template = yaml_parse((ROOT / "template.yaml").read_text())
    for name, resource in template["Resources"].items():
        if resource["Type"] != _FUNCTION:
            continue
        binary = binaries / resource["Metadata"]["BuildProperties"]["Binary"]
        if not binary.exists():
            raise Problem(f"{name} in template.yaml names the binary {binary.name}, which no package builds.")
        _copy_if_newer(binary, settings.build / name / "bootstrap")
        resource["Properties"]["CodeUri"] = name
    written = settings.build / "template.yaml"
    written.write_text(yaml_dump(template))
    return written


def _copy_if_newer(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.stat().st_mtime_ns == source.stat().st_mtime_ns:
        return
    shutil.copy2(source, target)
    # A third of the binary is symbols, which would only be zipped and unpacked again.
    if strip := shutil.which("strip"):
        subprocess.run([strip, str(target)], check=False, stderr=subprocess.DEVNULL)
        os.utime(target, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))


def _target_directory() -> Path:
    if chosen := os.environ.get("CARGO_TARGET_DIR"):
        return (ROOT / chosen).resolve()
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return Path(json.loads(metadata.stdout)["target_directory"])
