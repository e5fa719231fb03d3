"""Deploys the packaged template with `sam deploy`, and reads back what came of it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import boto3

from settings import REGION, ROOT, ROOT_CREDENTIALS, STACK_NAME, Settings
from steps import run_quietly, step


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
    (stack,) = client(settings, "cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def client(settings: Settings, service: str) -> Any:
    """An AWS client that speaks to the local stack as its root."""
    return boto3.client(
        service,
        endpoint_url=settings.endpoint,
        region_name=REGION,
        aws_access_key_id=ROOT_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ROOT_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
