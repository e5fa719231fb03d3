"""Makes what a new user needs, an account, a sandbox key and the payment of the getpaid example, and says so: in
`.local/env`, which a shell reads, in `.local/on-stack`, which runs a command, and in a curl to paste.

`.local/env` has no variable that an AWS tool would read: a shell that has read it still deploys to its own account.
What is to reach the local AWS says so: `.local/on-stack aws …`.
"""

from __future__ import annotations

import json
import os
import shlex
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import watch
from settings import ROOT, VENV, Settings
from steps import Problem, step

# The example of the getpaid documents: 31.00 EUR, routed to a platform, a seller and a supplier.
PAYMENT_ID = "pay_926ap9a2ioesd1p0qsfjuk1bvv"
SELLER = "acc_4zjjxn0nm1tnweqbttedkvnsc8"
SUPPLIER = "acc_4djj3n0hm1tn2eqwetedkvnsc3"
PAYMENT = {
    "amount": 3100,
    "currency": "EUR",
    "routing": {
        "platform": {"amount": 100},
        "merchants": [{"account_id": SELLER, "amount": 2500}, {"account_id": SUPPLIER, "amount": 500}],
    },
    "processor": {"name": "sandbox", "reference": "sandbox_succeed"},
}
_REFUND = {
    "payment_id": PAYMENT_ID,
    "description": "Refund for ORD-123456",
    "reference": "REFUND-123456",
    "routing": {"merchants": [{"id": SELLER, "amount": 1000}, {"id": SUPPLIER, "amount": 500}]},
    "urls": {"webhook": f"http://127.0.0.1:{watch.PORT}/"},
}


@dataclass(frozen=True)
class Account:
    """A sandbox account and the secrets that are shown once."""

    account_id: str
    api_key: str
    webhook_secret: str


def make_account(settings: Settings, admin_function: str) -> Account:
    """Make an account with one sandbox key, through the admin function."""
    with step("Making a sandbox account and its key"):
        made = _made(settings, admin_function, {"command": "create_account", "operator": "seed", "name": "Example marketplace"})
        of_it = {"account_id": made["account_id"], "environment": "sandbox"}
        key = _made(settings, admin_function, {"command": "create_api_key", "operator": "seed", "name": "example key", **of_it})
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
            raise Problem(
                f"{watch.recent(settings)}\n"
                f"The API refused the example payment with {error.code}: {said} (what the functions log is above)"
            ) from None


def admin(settings: Settings, function: str, command: object) -> tuple[bool, object]:
    """Invoke the admin function; say whether it did as told, and what it answered."""
    answer = settings.client("lambda").invoke(FunctionName=function, Payload=json.dumps(command))
    said = json.loads(answer["Payload"].read())
    return "FunctionError" not in answer, said


def _made(settings: Settings, function: str, command: dict[str, str]) -> dict[str, Any]:
    done, said = admin(settings, function, command)
    if not done or not isinstance(said, dict):
        raise Problem(
            f"{watch.recent(settings)}\n"
            f"The admin function failed at {command['command']}: {said} (what the functions log is above)"
        )
    return said


def write(settings: Settings, account: Account, outputs: dict[str, str]) -> None:
    """Write both files, readable by their owner alone."""
    values = {
        "RECOUP_URL": outputs["ApiUrl"],
        "RECOUP_API_KEY": account.api_key,
        "RECOUP_AUTH": f"authorization: Bearer {account.api_key}",
        "RECOUP_JSON": "content-type: application/json",
        "RECOUP_WEBHOOK_SECRET": account.webhook_secret,
        "RECOUP_ACCOUNT_ID": account.account_id,
        "RECOUP_ADMIN_FUNCTION": outputs["AdminFunctionName"],
        "RECOUP_TABLE": outputs["TableName"],
        "RECOUP_REFUND_JOBS_QUEUE_URL": outputs["RefundJobsQueueUrl"],
        "RECOUP_REFUND_JOBS_DLQ_URL": outputs["RefundJobsDeadLettersQueueUrl"],
        "RECOUP_WEBHOOK_JOBS_QUEUE_URL": outputs["WebhookJobsQueueUrl"],
        "RECOUP_WEBHOOK_JOBS_DLQ_URL": outputs["WebhookJobsDeadLettersQueueUrl"],
        "RECOUP_RELAY_DLQ_URL": outputs["RelayDeadLettersQueueUrl"],
    }
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    _write(settings.env_file, 0o600, "# Written by make up. To use the API: . .local/env\n" + exports)
    # A function that runs alone reads these from its environment, as the template gives them.
    aimed = {
        "TABLE_NAME": values["RECOUP_TABLE"],
        "CREDENTIALS_TABLE_NAME": outputs["CredentialsTableName"],
        "SECRETS_KEY_ID": outputs["SecretsKeyId"],
        "DISPATCH_WEBHOOK_FUNCTION": outputs["DispatchWebhookFunctionName"],
        "PUBLIC_URL": values["RECOUP_URL"],
        **settings.aws_variables(),
    }
    _write(settings.on_stack_file, 0o700, _ON_STACK.format(
        env_file=shlex.quote(str(settings.env_file)),
        tools=shlex.quote(str(VENV / "bin")),
        exports="".join(f"export {name}={shlex.quote(value)}\n" for name, value in aimed.items()),
    ))


_ON_STACK = """\
#!/bin/sh
# Written by make up. Runs a command against the local stack, whatever account the shell is set up for.
set -eu
if [ $# = 0 ]; then echo "usage: $0 <command>" >&2; exit 2; fi
for name in $(env | sed -n 's/^\\(AWS_[A-Z0-9_]*\\)=.*/\\1/p'); do unset "$name"; done
. {env_file}
{exports}export PATH={tools}:"$PATH"
exec "$@"
"""


def _write(path: Path, mode: int, text: str) -> None:
    draft = path.with_name(f"{path.name}.new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    draft.replace(path)


def read(settings: Settings) -> dict[str, str]:
    """What the first file says; nothing where there is none."""
    if not settings.env_file.exists():
        return {}
    words = shlex.split(settings.env_file.read_text(), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def account_of(values: dict[str, str]) -> Account | None:
    """The account the file tells of."""
    if not values:
        return None
    return Account(values["RECOUP_ACCOUNT_ID"], values["RECOUP_API_KEY"], values["RECOUP_WEBHOOK_SECRET"])


def hint(settings: Settings) -> str:
    """What `make up` says at its end: the getpaid partial refund as a curl to paste."""
    values, env_file = read(settings), os.path.relpath(settings.env_file, ROOT)
    return f"""
Recoup runs at {values["RECOUP_URL"]}

Refund 15.00 EUR of the example payment, 10.00 from the seller and 5.00 from the supplier:

curl -i -X POST '{values["RECOUP_URL"]}/v1/refunds' \\
  -H 'authorization: Bearer {values["RECOUP_API_KEY"]}' \\
  -H 'content-type: application/json' \\
  -H 'idempotency-key: REFUND-123456' \\
  -d '{json.dumps(_REFUND)}'

Once more, it answers with the same refund. A moment later it has succeeded; what is left of the payment:

curl '{values["RECOUP_URL"]}/v1/payments/{PAYMENT_ID}' -H 'authorization: Bearer {values["RECOUP_API_KEY"]}'

`make listen` in another shell shows the webhooks as they arrive; one that found nobody is tried again.
For programs, these values and more: . {env_file}        To end it: make down
"""
