"""What schemathesis has to know about this API beyond its description."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import requests
import schemathesis

# Rules between values, which no JSON Schema can say: the one reason to refuse a request that fits its schema.
_BEYOND_SCHEMAS = re.compile(
    r"""
      \ names\ another\ payment                          # payment_id, transaction_id and the path agree
    | \ names\ .*\ (twice|a\ second\ time)\.             # each line and each merchant once
    | \ adds\ up\ to\                                    # routing and lines sum to the amount
    | \ must\ have\ at\ most\ \d\ decimal\ places\.      # of this currency
    | \ must\ be\ (greater\ than\ zero|at\ most\ 10{15}\ minor\ units)\.   # "0.00" and its like
    | \ must\ not\ (contain|have\ a\ name\ that\ contains)\ NUL   # in any text
    | \ its\ status,\ reference\ and\ failure\ do\ not\ agree\.   # of an adapter's notice
    | ^(currency|amount)\ is\ required\.$                # unless Stripe tells both
    | ^payment_id\ must\ not\ be\ \.                      # nor ..
    | ^payment_id\ \(or\ transaction_id\)\ is\ required\.$         # unless the path names it
    | ^routing\.merchants\[\d+\]\.account_id\ is\ required\.$   # or id, one of the two
    | \ is\ a\ synonym\ of\ account_id;
    | ,\ never\ a\ float\.                               # 237.0 is an integer to JSON Schema
    | ^cursor\                                           # only one that we gave
    | ^metadata\ must\ have\ at\ most\ 50\ keys\.        # what is there and what is added, together
    | ^metadata\ must\ have\ at\ most\ 32768\ bytes        # of all of them
    | ^date\ must\ be                                    # the years 1970 to 9999
    | ^created_(from|to)\ must\ be                       # the years 1970 to 9999
    | ^refundable_until\ must\ be
    | ^(urls\.webhook|url)\ must\                        # a URL with a host, a fit port and no credentials
    """,
    re.VERBOSE,
)
_URL = re.compile(r"https?://", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_CREATES = ("createRefund", "createRefundOfPayment", "quoteRefund")
_AMOUNT_MAX = 10**15


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    """Send a text as it is, and anything else as the line that it would be."""
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="replace")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Give generated requests something to work on, and send no webhook to strangers."""
    phase = case.meta.phase.name.value if case.meta else None
    if phase == "fuzzing" and case.meta.generation.mode.is_positive and case.query:
        # Of 10^100 texts one is a cursor.
        case.query.pop("cursor", None)
    key = str((case.headers or {}).get("idempotency-key") or "")
    if key != key.strip():
        # HTTP takes blanks off the ends of a header, and might leave a key that is one; these stay.
        case.headers["idempotency-key"] = f"white space {len(key)}"
    if not isinstance(case.body, dict):
        return
    urls = case.body.get("urls")
    webhook = urls.get("webhook") if isinstance(urls, dict) else None
    if isinstance(webhook, str) and len(webhook) <= 2048 and _URL.match(webhook):
        # This name never resolves.
        case.body = {**case.body, "urls": {**urls, "webhook": "https://receiver.invalid/"}}
    endpoint = case.body.get("url")
    if isinstance(endpoint, str) and len(endpoint) <= 2048 and _URL.match(endpoint):
        case.body = {**case.body, "url": "https://receiver.invalid/"}
    if phase in ("coverage", "fuzzing") and case.operation.definition.raw.get("operationId") in _CREATES:
        _aim(case)


def _aim(case: Any) -> None:
    """Let a refund name a payment and a key of its own: used up ones would refuse what is to be judged.

    What cannot name a payment stays as it is; it may be what makes the request invalid.
    """
    payment = f"contract_{case.id}"
    _register(payment, case.body)
    named = {name: case.body.get(name) for name in ("payment_id", "transaction_id")}
    named = {name: payment for name, id in named.items() if isinstance(id, str) and _ID.fullmatch(id)}
    if not named and case.meta.generation.mode.is_positive:
        named["payment_id"] = payment
    expected = case.body.get("expected_refundable_amount")
    if re.fullmatch(r"(?=.*[1-9])([0-9]{1,15}|[0-9]+\.[0-9]{1,2})", str(expected)):
        # Another amount than is left would refuse whatever else is wrong.
        named["expected_refundable_amount"] = _AMOUNT_MAX
    case.body = {**case.body, **named}
    if case.path_parameters and _ID.fullmatch(str(case.path_parameters.get("payment_id"))):
        case.path_parameters["payment_id"] = payment
    if case.headers and re.fullmatch("[A-Za-z0-9_-]{1,255}", str(case.headers.get("idempotency-key"))):
        case.headers["idempotency-key"] = payment


def _register(payment: str, refund: dict[str, Any]) -> None:
    """Register a payment with the refund's currency, lines and merchants, as far as they are any."""
    parts = {name: refund.get(name) for name in ("currency", "invoice_detail_ids", "routing")}
    registration: dict[str, Any] = {"amount": _AMOUNT_MAX, "currency": parts["currency"] or "EUR"}
    lines = parts["invoice_detail_ids"]
    if isinstance(lines, list) and lines:
        rest = _AMOUNT_MAX - len(lines) + 1
        registration["invoice_details"] = [{"id": line, "amount": 1} for line in lines[1:]]
        registration["invoice_details"].append({"id": lines[0], "amount": rest})
    if isinstance(parts["routing"], dict):
        merchants = parts["routing"].get("merchants")
        merchants = merchants if isinstance(merchants, list) else []
        merchants = [merchant for merchant in merchants if isinstance(merchant, dict)]
        names = dict.fromkeys(str(merchant.get("id") or merchant.get("account_id")) for merchant in merchants)
        registration["routing"] = {
            "platform": {"amount": _AMOUNT_MAX // 2},
            "merchants": [{"account_id": name, "amount": 0} for name in names],
        }
        if names:
            registration["routing"]["merchants"][0]["amount"] = _AMOUNT_MAX // 2
        else:
            registration["routing"]["platform"]["amount"] = _AMOUNT_MAX
    for body in (registration, {"amount": _AMOUNT_MAX, "currency": "EUR"}):
        answer = requests.put(
            f"{os.environ['RECOUP_URL']}/v1/payments/{payment}",
            json=body,
            headers={"authorization": f"Bearer {os.environ['RECOUP_API_KEY']}"},
            timeout=30,
        )
        # What is wrong with the refund may be wrong with such a payment, too.
        if answer.ok:
            return


@schemathesis.check
def valid_requests_are_accepted(context: Any, response: Any, case: Any) -> None:
    """A request that fits its schema is refused only by a rule between values, by 404, 409 or 422."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code != 400:
        return
    # The token endpoint is answered as RFC 6749 has it: an unknown scope is a 400.
    if case.operation.path.endswith("/oauth/token") and response.json()["error"] == "invalid_scope":
        return
    problem = response.json()
    # What stands in an event of Stripe's is Stripe's to describe: our schema knows only what surrounds it.
    if case.operation.path.endswith("/stripe/notifications") and problem["code"] == "invalid_notification":
        return
    told = _BEYOND_SCHEMAS.search(problem["detail"])
    if problem["code"] not in ("invalid_parameter", "missing_parameter", "invalid_notification") or not told:
        raise AssertionError(f"A request that fits its schema is refused: {problem['code']}, {problem['detail']}")
