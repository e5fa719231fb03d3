"""Where the local stack keeps its things, and the names under which it runs."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps import Problem

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".local" / "venv"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
HASHES = Path(__file__).with_name("hashes.txt")

STACK_NAME = "recoup"
REGION = "eu-central-1"
PORT_DEFAULT = 4566

# MiniStack treats this key as the account's root, whose requests it neither checks nor limits. It opens
# nothing but a server on the loopback interface.
ROOT_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True)
class Settings:
    """One local stack: its port and the directory with its state."""

    state: Path
    port: int
    port_was_chosen: bool

    @staticmethod
    def of_stack(name: str = "") -> Settings:
        """The checkout's own stack, or another one beside it. `RECOUP_PORT` chooses a port."""
        chosen = os.environ.get("RECOUP_PORT", "")
        if chosen and not (chosen.isdigit() and 0 < int(chosen) < 65536):
            raise Problem(f"RECOUP_PORT is {chosen!r}, which is no port. Give a number from 1 to 65535, or unset it.")
        return Settings(
            state=(ROOT / ".local" / name).resolve(),
            port=int(chosen) if chosen else PORT_DEFAULT,
            port_was_chosen=bool(chosen),
        )

    @property
    def endpoint(self) -> str:
        """The AWS endpoint, as a caller on this machine reaches it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def build(self) -> Path:
        """The packaged functions and the template that names them."""
        return self.state / "build"

    @property
    def env_file(self) -> Path:
        """What a shell needs to know to call the API."""
        return self.state / "env"

    @property
    def on_stack_file(self) -> Path:
        """The program that aims a command at this stack."""
        return self.state / "on-stack"

    @property
    def server_file(self) -> Path:
        """Process id and port of the running server."""
        return self.state / "server.json"

    @property
    def deployed_file(self) -> Path:
        """Fingerprint of what the running server has deployed."""
        return self.state / "deployed"

    def log(self, name: str) -> Path:
        """A log file of this stack."""
        return self.state / f"{name}.log"

    def parameters(self) -> dict[str, str]:
        """The template's parameters, as far as a local stack differs from AWS. None may be empty: sam refuses that."""
        arm = platform.machine().lower() in ("aarch64", "arm64")
        return {
            "Architecture": "arm64" if arm else "x86_64",
            "LocalGatewayUrl": f"{self.endpoint}/_aws/execute-api",
            "AllowPrivateWebhookTargets": "true",
            "ProtectTable": "false",
        }

    def aws_variables(self) -> dict[str, str]:
        """What aims an AWS tool at the local stack and at nothing else."""
        return {
            **ROOT_CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "SAM_CLI_TELEMETRY": "0",
        }

    def aws_environment(self) -> dict[str, str]:
        """This process's environment, but speaking to the local stack and to nothing else."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, **self.aws_variables()}

    def client(self, service: str) -> Any:
        """An AWS client that speaks to the local stack as its root."""
        import boto3  # of the virtual environment, in which not every command runs

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ROOT_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ROOT_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def forget(self) -> None:
        """Remove what tells of a running stack: it is gone."""
        for path in (self.deployed_file, self.env_file, self.on_stack_file):
            path.unlink(missing_ok=True)
