"""What the programs that wrap a test need of the running stack; they run under `.local/on-stack`."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3


def of_stack(name: str) -> str:
    """A variable that `.local/on-stack` sets."""
    if name not in os.environ:
        sys.exit(f"{name} is not set: run this under .local/on-stack, which `make up` writes")
    return os.environ[name]


def client(service: str, url: str | None = None) -> Any:
    """A client of a service of the stack, or of the service at another address."""
    return boto3.client(service, endpoint_url=url or of_stack("AWS_ENDPOINT_URL"), region_name=of_stack("AWS_REGION"))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def with_variables(functions: list[str], variables: Mapping[str, str]) -> Iterator[None]:
    """Each function (`process-refund`) has these environment variables, too, as long as the block lasts."""
    aws = client("lambda")
    names = [of_stack("RECOUP_ADMIN_FUNCTION").removesuffix("admin") + function for function in functions]
    before = {
        name: aws.get_function_configuration(FunctionName=name)["Environment"]["Variables"] for name in names
    }
    try:
        for name, own in before.items():
            aws.update_function_configuration(FunctionName=name, Environment={"Variables": {**own, **variables}})
        yield
    finally:
        for name, own in before.items():
            aws.update_function_configuration(FunctionName=name, Environment={"Variables": own})
