"""What schemathesis has to know about this API beyond its description."""

from __future__ import annotations

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
    | ,\ never\ a\ float\.                               # 237.0 is an integer to JSON Schema
    | ^cursor\                                           # only one that we gave
    | ^metadata\ must\ have\ at\ most\ 50\ keys\.        # what is there and what is added, together
    | ^created_(from|to)\ must\ be                       # the years 1970 to 9999
    | ^refundable_until\ must\ be
    | ^urls\.webhook\ must\                              # a URL with a host, a fit port and no credentials
    """,
    re.VERBOSE,
)
_URL = re.compile(r"https?://", re.IGNORECASE)
_CREATES = ("createRefund", "createRefundOfPayment", "quoteRefund")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Give valid requests something to work on, and send no webhook to strangers."""
    fuzzed = case.meta and case.meta.generation.mode.is_positive and case.meta.phase.name.value == "fuzzing"
    if fuzzed and case.query:
        # Of 10^100 texts one is a cursor.
        case.query.pop("cursor", None)
    if not isinstance(case.body, dict):
        return
    urls = case.body.get("urls")
    webhook = urls.get("webhook") if isinstance(urls, dict) else None
    if isinstance(webhook, str) and len(webhook) <= 2048 and _URL.match(webhook):
        # This name never resolves.
        case.body = {**case.body, "urls": {**urls, "webhook": "https://receiver.invalid/"}}
    if fuzzed and case.operation.definition.raw.get("operationId") in _CREATES:
        _aim(case)


def _aim(case: Any) -> None:
    """Register a payment of the refund's own, and name it wherever the refund names one."""
    payment = f"contract_{case.id}"
    registration: dict[str, Any] = {"amount": 10**15, "currency": case.body.get("currency") or "EUR"}
    lines = case.body.get("invoice_detail_ids") or []
    if lines:
        rest = 10**15 - len(lines) + 1
        registration["invoice_details"] = [{"id": line, "amount": 1} for line in lines[1:]]
        registration["invoice_details"].append({"id": lines[0], "amount": rest})
    merchants = (case.body.get("routing") or {}).get("merchants") or []
    names = dict.fromkeys(merchant.get("id") or merchant.get("account_id") for merchant in merchants)
    if case.body.get("routing") is not None:
        registration["routing"] = {
            "platform": {"amount": 10**15 - len(names)},
            "merchants": [{"account_id": name, "amount": 1} for name in names],
        }
    requests.put(
        f"{os.environ['RECOUP_URL']}/v1/payments/{payment}",
        json=registration,
        headers={"authorization": f"Bearer {os.environ['RECOUP_API_KEY']}"},
        timeout=30,
    ).raise_for_status()
    if case.path_parameters:
        case.path_parameters["payment_id"] = payment
    named = {name: payment for name in ("payment_id", "transaction_id") if case.body.get(name)}
    case.body = {**case.body, **named}


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
    told = _BEYOND_SCHEMAS.search(problem["detail"])
    if problem["code"] != "invalid_parameter" or not told:
        raise AssertionError(f"A request that fits its schema is refused: {problem['code']}, {problem['detail']}")
