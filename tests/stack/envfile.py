"""What tells a shell of the running stack: `.local/env`, which it reads, and `.local/on-stack`, which runs a command.

The first has no variable that an AWS tool would read: a shell that has read it still deploys to its own account. What is
to reach the local AWS says so: `.local/on-stack aws …`.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from seed import Account
from settings import ROOT, VENV, Settings


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
    aimed = {"TABLE_NAME": values["RECOUP_TABLE"], "PUBLIC_URL": values["RECOUP_URL"], **settings.aws_variables()}
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


def forget(settings: Settings) -> None:
    """Remove both files: the stack they tell of is gone."""
    for path in (settings.env_file, settings.on_stack_file):
        path.unlink(missing_ok=True)


def account_of(values: dict[str, str]) -> Account | None:
    """The account the file tells of."""
    if not values:
        return None
    return Account(values["RECOUP_ACCOUNT_ID"], values["RECOUP_API_KEY"], values["RECOUP_WEBHOOK_SECRET"])


def relative(path: Path) -> str:
    """The path as someone in the checkout types it."""
    return os.path.relpath(path, ROOT)
