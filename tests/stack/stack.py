"""The local AWS: MiniStack on the loopback interface, and template.yaml deployed to it with `sam deploy`.

MiniStack runs functions as processes of the host, so they are plain host binaries of cargo's own `dev` profile, which
tests, `cargo lambda watch` and `cargo build` share. What is deployed to AWS comes from `sam build` and the release
profile.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

from settings import REGION, ROOT, ROOT_CREDENTIALS, STACK_NAME, Settings
from steps import Problem, end_of, run, run_quietly, say, step

_START_SECONDS_MAX = 60
_STOP_SECONDS_MAX = 15
_PORTS_TRIED = 50
_PROGRAM = Path(__file__).with_name("ministack_server.py")
_FUNCTION = "AWS::Serverless::Function"


def recorded_port(settings: Settings) -> int | None:
    """The port of this stack's server if it runs, else nothing."""
    record = _record(settings)
    return record["port"] if record and _is_ours(record["pid"]) else None


def at_its_port(settings: Settings) -> Settings:
    """The settings with the port on which this stack runs or will run: the one chosen, else the first that is free."""
    running = recorded_port(settings)
    if running:
        if settings.port_was_chosen and running != settings.port:
            raise Problem(f"The stack runs on port {running} already. First: make down")
        return replace(settings, port=running)
    if not _taken(settings.port):
        return settings
    if settings.port_was_chosen:
        raise Problem(f"Port {settings.port} of 127.0.0.1 is taken by another program. Choose another RECOUP_PORT.")
    for port in range(settings.port + 1, settings.port + _PORTS_TRIED):
        if not _taken(port):
            say(f"Port {settings.port} of 127.0.0.1 is taken by another program, so the stack will be at {port}.")
            return replace(settings, port=port)
    raise Problem(f"All ports from {settings.port} on are taken. Choose another one: RECOUP_PORT=5000 make up")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(settings: Settings) -> None:
    """Start the server unless it runs. A new one knows nothing yet, so what is noted of the old one goes."""
    if recorded_port(settings) == settings.port and _answers(settings):
        return
    stop(settings)
    settings.forget()
    with step(f"Starting MiniStack on {settings.endpoint}"):
        process = _spawn(settings)
        settings.server_file.write_text(json.dumps({"pid": process.pid, "port": settings.port}))
        deadline = time.monotonic() + _START_SECONDS_MAX
        while not _answers(settings):
            if process.poll() is not None or time.monotonic() > deadline:
                stop(settings)
                raise Problem(f"{end_of(settings.log('ministack'))}\nMiniStack did not start; its log is above.")
            time.sleep(0.1)


def stop(settings: Settings) -> bool:
    """End the server and the functions it runs; say whether there was one."""
    record = _record(settings)
    settings.server_file.unlink(missing_ok=True)
    if record is None or not _is_ours(record["pid"]):
        return False
    # It leads its own process group, in which its functions run: first ask, then leave nothing behind.
    _signal_group(record["pid"], signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS_MAX
    while _is_ours(record["pid"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    _signal_group(record["pid"], signal.SIGKILL)
    for name in ("tmp", "home"):
        shutil.rmtree(settings.state / name, ignore_errors=True)
    return True


def _signal_group(leader: int, ending: signal.Signals) -> None:
    try:
        os.killpg(leader, ending)
    except (ProcessLookupError, PermissionError):
        pass  # nobody is left


def _spawn(settings: Settings) -> subprocess.Popen[bytes]:
    for name in ("tmp", "home"):
        (settings.state / name).mkdir(parents=True, exist_ok=True)
    # The functions inherit this environment: nothing of the user's may reach them.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(settings.state / "home"),
        "TMPDIR": str(settings.state / "tmp"),
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(settings.port),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "false",
        "SFTP_ENABLED": "false",
        "AWS_ENDPOINT_URL": settings.endpoint,
        **ROOT_CREDENTIALS,
    }
    with settings.log("ministack").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.read_text()],
            env=environment,
            cwd=settings.state,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _answers(settings: Settings) -> bool:
    try:
        with urllib.request.urlopen(f"{settings.endpoint}/_ministack/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _record(settings: Settings) -> dict[str, int] | None:
    try:
        return json.loads(settings.server_file.read_text())
    except (OSError, ValueError):
        return None


def _is_ours(pid: int) -> bool:
    """Whether that process lives and is a server started here: process ids are used again."""
    try:
        os.waitpid(pid, os.WNOHANG)  # our own child would stay a zombie otherwise
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    command = Path(f"/proc/{pid}/cmdline")
    if command.exists():
        return b"ministack" in command.read_bytes()
    listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return b"ministack" in listed.stdout


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


def deploy(settings: Settings, template: Path, fingerprint: str) -> bool:
    """Deploy unless exactly this is deployed; say whether something was done."""
    if settings.deployed_file.exists() and settings.deployed_file.read_text() == fingerprint:
        return False
    with step("Deploying template.yaml with sam deploy"):
        run_quietly(
            [sys.executable, "-m", "samcli", "deploy", "--template-file", str(template)]
            + ["--stack-name", STACK_NAME, "--region", REGION, "--resolve-s3", "--capabilities", "CAPABILITY_IAM"]
            + ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar", "--parameter-overrides"]
            + [f"{name}={value}" for name, value in settings.parameters().items()],
            "The template was not deployed. Once it is mended, start from nothing: make down up.",
            settings.log("deploy"),
            cwd=settings.build,
            env=settings.aws_environment(),
            progress=_told,
        )
    settings.deployed_file.write_text(fingerprint)
    return True


def _told(printed: str) -> str:
    if "Initiating deployment" not in printed:
        return "zipping and uploading the functions"
    made = len(re.findall(r"^(?:CREATE|UPDATE)_COMPLETE ", printed, re.MULTILINE))
    return f"{made} resources are there" if made else "all is uploaded, making the resources"


def outputs(settings: Settings) -> dict[str, str]:
    """The outputs of the deployed stack."""
    (stack,) = settings.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
