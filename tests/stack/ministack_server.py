"""MiniStack, whose IAM is taught the condition key `dynamodb:LeadingKeys`: the roles of template.yaml depend on it."""

from __future__ import annotations

import json
import re
from typing import Any

from ministack.core import iam_actions, iam_evaluator

_KEY = "dynamodb:LeadingKeys"
_PARTITION_KEY = "pk"
_EQUALS = re.compile(r"^\s*#?\w+\s*=\s*(:\w+)")

_service_context = iam_actions.dynamodb_service_context
_transaction_checks = iam_actions.dynamodb_transaction_checks
_enforce = iam_evaluator.enforce


class _ItemArn(str):
    """The ARN of a table, with the partition key of the item that a part of a transaction is about."""

    leading_key: str


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def _leading_keys(request: dict[str, Any]) -> list[str]:
    """The partition keys of what a request names."""
    keys = [request[name] for name in ("Key", "Item") if name in request]
    for wanted in request.get("RequestItems", {}).values():
        keys += wanted.get("Keys", []) if isinstance(wanted, dict) else []
    found = [key[_PARTITION_KEY]["S"] for key in keys]
    if partition := _EQUALS.match(request.get("KeyConditionExpression", "")):
        found.append(request["ExpressionAttributeValues"][partition[1]]["S"])
    return found


def _context(body: bytes) -> dict[str, Any]:
    keys = _leading_keys(_parsed(body))
    return {**_service_context(body), **({_KEY: keys} if keys else {})}


def _checks(action: str, body: bytes, region: str, account: str) -> list[tuple[str, str]]:
    checks = _transaction_checks(action, body, region, account)
    parts = _parsed(body).get("TransactItems", []) if checks else []
    keys = [key for part in parts for detail in part.values() for key in _leading_keys(detail)]
    if len(keys) != len(checks):
        return checks
    judged = []
    for (item_action, arn), key in zip(checks, keys, strict=True):
        item = _ItemArn(arn)
        item.leading_key = key
        judged.append((item_action, item))
    return judged


def _judge(access_key: str, action: str, service: str, region: str, **of_request: Any) -> Any:
    arn = of_request.get("resource_arn")
    if isinstance(arn, _ItemArn):
        of_request["service_context"] = {**(of_request.get("service_context") or {}), _KEY: [arn.leading_key]}
    return _enforce(access_key, action, service, region, **of_request)


def main() -> None:
    iam_actions.dynamodb_service_context = _context
    iam_actions.dynamodb_transaction_checks = _checks
    iam_evaluator.enforce = _judge
    from ministack.app import main as serve

    serve()


main()
