"""Makes what a new user needs: an account, a sandbox key, and the payment of the getpaid example."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from example import PAYMENT, PAYMENT_ID
from settings import Settings
from steps import Problem, step


@dataclass(frozen=True)
class Account:
    """A sandbox account and the secrets that are shown once."""

    account_id: str
    api_key: str
    webhook_secret: str


def make_account(settings: Settings, admin_function: str) -> Account:
    """Make an account with one sandbox key, through the admin function."""
    with step("Making a sandbox account and its key"):
        made = _made(settings, admin_function, {"command": "create_account", "name": "Example marketplace"})
        of_it = {"account_id": made["account_id"], "environment": "sandbox"}
        key = _made(settings, admin_function, {"command": "create_api_key", **of_it})
        return Account(made["account_id"], key["secret"], made["webhook_secrets"]["sandbox"])


def register_payment(settings: Settings, url: str, api_key: str) -> None:
    """Register the example payment through the API; done twice it changes nothing."""
    with step("Registering the example payment"):
        request = urllib.request.Request(
            f"{url}/v1/payments/{PAYMENT_ID}",
            method="PUT",
            data=json.dumps(PAYMENT).encode(),
            headers={"authorization": f"Bearer {api_key}", "content-type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            import logs

            raise Problem(
                f"{logs.recent(settings)}\n"
                f"The API refused the example payment with {error.code}: {said} (what the functions log is above)"
            ) from None


def admin(settings: Settings, function: str, command: object) -> tuple[bool, object]:
    """Invoke the admin function; say whether it did as told, and what it answered."""
    from deploy import client

    answer = client(settings, "lambda").invoke(FunctionName=function, Payload=json.dumps(command))
    said = json.loads(answer["Payload"].read())
    return "FunctionError" not in answer, said


def _made(settings: Settings, function: str, command: dict[str, str]) -> dict[str, Any]:
    import logs

    done, said = admin(settings, function, command)
    if not done or not isinstance(said, dict):
        raise Problem(
            f"{logs.recent(settings)}\n"
            f"The admin function failed at {command['command']}: {said} (what the functions log is above)"
        )
    return said
