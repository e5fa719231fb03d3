"""A new account with the README's payment, so that the pages find what `make up` leaves, whatever ran before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "stack"))
from example import PAYMENT, PAYMENT_ID  # noqa: E402, the stack's own example


def make(values: dict[str, str]) -> dict[str, str]:
    """The stack's values, with the key of a new sandbox account."""
    account = _admin(values, {"command": "create_account", "name": "The pages' account"})
    of_it = {"account_id": account["account_id"], "environment": "sandbox"}
    key = _admin(values, {"command": "create_api_key", **of_it})["secret"]
    _curl(
        f"{values['RECOUP_URL']}/v1/payments/{PAYMENT_ID}",
        PAYMENT,
        ["--request", "PUT", "--header", f"authorization: Bearer {key}", "--header", "content-type: application/json"],
    )
    return {
        **values,
        "RECOUP_API_KEY": key,
        "RECOUP_ACCOUNT_ID": account["account_id"],
        "RECOUP_WEBHOOK_SECRET": account["webhook_secrets"]["sandbox"],
    }


def _admin(values: dict[str, str], command: dict[str, str]) -> dict[str, Any]:
    """Invoke the admin function, as docs/credentials.md does."""
    return _curl(
        f"{values['AWS_ENDPOINT_URL']}/2015-03-31/functions/{values['RECOUP_ADMIN_FUNCTION']}/invocations",
        command,
        [
            "--aws-sigv4",
            f"aws:amz:{values['AWS_REGION']}:lambda",
            "--user",
            f"{values['AWS_ACCESS_KEY_ID']}:{values['AWS_SECRET_ACCESS_KEY']}",
        ],
    )


def _curl(url: str, body: dict[str, Any], arguments: list[str]) -> dict[str, Any]:
    command = ["curl", "--silent", "--show-error", "--fail-with-body", url, "--data", json.dumps(body), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{url}: {done.stderr.strip()} {done.stdout.strip()}")
    return json.loads(done.stdout)
