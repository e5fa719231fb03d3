"""The client of openapi-python-client drives the running stack."""

from __future__ import annotations

import secrets
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(scope="module")
def made(python_client: Path, stack: dict[str, str]) -> SimpleNamespace:
    """The client's parts, and callers with the stack's key and with a wrong one."""
    import recoup_client
    from recoup_client import models
    from recoup_client.api.payments import get_payment, register_payment
    from recoup_client.api.refunds import create_refund, get_refund, list_refunds, quote_refund
    from recoup_client.api.webhooks import create_webhook_endpoint, delete_webhook_endpoint

    def caller(key: str) -> Any:
        return recoup_client.AuthenticatedClient(base_url=stack["RECOUP_URL"], token=key, timeout=30)

    parts = {name: value for name, value in locals().items() if name not in ("stack", "python_client", "caller")}
    return SimpleNamespace(**parts, caller=caller(stack["RECOUP_API_KEY"]), stranger=caller("sk_sandbox_wrong"))


def _register(made: SimpleNamespace) -> Any:
    models = made.models
    routing = models.PaymentRouting(
        platform=models.PlatformPart(amount=100), merchants=[models.MerchantPart(account_id="seller", amount="30.00")]
    )
    processor = models.SandboxPayment(name="sandbox", reference="sandbox_succeed")
    registration = models.PaymentRegistration(
        amount=3100, currency=models.Currency.EUR, routing=routing, processor=processor
    )
    name = f"pay_{secrets.token_hex(8)}"
    return made.register_payment.sync(name, client=made.caller, body=registration)


def _part(made: SimpleNamespace, payment: str) -> Any:
    models = made.models
    routing = models.RefundParts(merchants=[models.RefundMerchantPart(account_id="seller", amount=1500)])
    return models.RefundRequest(payment_id=payment, routing=routing, reference="REFUND-1")


def test_a_payment_is_registered_and_refunded_in_part(made: SimpleNamespace) -> None:
    payment = _register(made)
    assert isinstance(payment, made.models.Payment)
    assert (payment.refundable_amount, payment.routing.merchants[0].amount_decimal) == (3100, "30.00")
    wanted = _part(made, payment.id)
    quote = made.quote_refund.sync(client=made.caller, body=wanted)
    assert (quote.amount, quote.refundable_amount_after) == (1500, 1600)
    refund = made.create_refund.sync(client=made.caller, body=wanted, idempotency_key=secrets.token_hex(8))
    assert isinstance(refund, made.models.Refund)
    assert (refund.amount, refund.transaction_id, refund.reference) == (1500, payment.id, "REFUND-1")
    read = made.get_refund.sync(refund.id, client=made.caller, expand=[made.models.Expansion.PAYMENT])
    assert (read.id, read.payment.refundable_amount) == (refund.id, 1600)
    page = made.list_refunds.sync(client=made.caller, payment_id=payment.id)
    assert ([each.id for each in page.data], page.has_more) == ([refund.id], False)


def test_an_endpoint_comes_with_its_secret(made: SimpleNamespace) -> None:
    events = [made.models.HeardType.REFUND_SUCCEEDED]
    wanted = made.models.EndpointRequest(url="https://receiver.invalid/", events=events)
    endpoint = made.create_webhook_endpoint.sync(client=made.caller, body=wanted)
    assert endpoint.secret.startswith("whsec_")
    assert endpoint.events == events
    gone = made.delete_webhook_endpoint.sync_detailed(endpoint.id, client=made.caller)
    assert gone.status_code == 204


def test_a_refusal_is_a_typed_problem(made: SimpleNamespace) -> None:
    payment = _register(made)
    too_much = made.models.RefundRequest(payment_id=payment.id, amount="31.01")
    problem = made.create_refund.sync(client=made.caller, body=too_much)
    assert isinstance(problem, made.models.Problem)
    assert problem.status == 422
    assert isinstance(problem.code, made.models.ProblemCode)


def test_a_wrong_key_is_told_as_a_typed_problem(made: SimpleNamespace) -> None:
    answer = made.get_payment.sync_detailed("pay_1", client=made.stranger)
    assert answer.status_code == 403
    assert isinstance(answer.parsed, made.models.Problem)
    assert answer.parsed.code == made.models.ProblemCode.INVALID_CREDENTIAL
