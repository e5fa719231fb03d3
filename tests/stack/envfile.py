"""`.local/env`: what a shell, a test or a program needs to use the running stack."""

from __future__ import annotations

import os
import shlex

from seed import Account
from settings import REGION, ROOT_CREDENTIALS, Settings


def write(settings: Settings, account: Account, outputs: dict[str, str]) -> dict[str, str]:
    """Write the file, readable by its owner alone, and return what it says."""
    values = {
        "RECOUP_URL": outputs["ApiUrl"],
        "RECOUP_API_KEY": account.api_key,
        "RECOUP_WEBHOOK_SECRET": account.webhook_secret,
        "RECOUP_ACCOUNT_ID": account.account_id,
        "RECOUP_ADMIN_FUNCTION": outputs["AdminFunctionName"],
        "RECOUP_TABLE": outputs["TableName"],
        "RECOUP_REFUND_JOBS_QUEUE_URL": outputs["RefundJobsQueueUrl"],
        "RECOUP_REFUND_JOBS_DLQ_URL": outputs["RefundJobsDeadLettersQueueUrl"],
        "RECOUP_WEBHOOK_JOBS_QUEUE_URL": outputs["WebhookJobsQueueUrl"],
        "RECOUP_WEBHOOK_JOBS_DLQ_URL": outputs["WebhookJobsDeadLettersQueueUrl"],
        "RECOUP_RELAY_DLQ_URL": outputs["RelayDeadLettersQueueUrl"],
        "RECOUP_STRIPE_URL": settings.stripe,
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_REGION": REGION,
        **ROOT_CREDENTIALS,
    }
    text = "# source this; written by make up\n" + "".join(
        f"export {name}='{value}'\n" for name, value in values.items()
    )
    draft = settings.env_file.with_suffix(".new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(settings.env_file)
    return values


def read(settings: Settings) -> dict[str, str]:
    """What the file says; nothing where there is none."""
    if not settings.env_file.exists():
        return {}
    words = shlex.split(settings.env_file.read_text(), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def account_of(values: dict[str, str]) -> Account | None:
    """The account the file tells of."""
    if not values:
        return None
    return Account(values["RECOUP_ACCOUNT_ID"], values["RECOUP_API_KEY"], values["RECOUP_WEBHOOK_SECRET"])
