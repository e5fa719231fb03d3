"""What `make up` says at its end: the getpaid partial refund as a curl to paste."""

from __future__ import annotations

import json

from listen import PORT
from example import PAYMENT_ID, SELLER, SUPPLIER

_REFUND = {
    "payment_id": PAYMENT_ID,
    "description": "Refund for ORD-123456",
    "reference": "REFUND-123456",
    "routing": {"merchants": [{"id": SELLER, "amount": 1000}, {"id": SUPPLIER, "amount": 500}]},
    "urls": {"webhook": f"http://127.0.0.1:{PORT}/"},
}


def text(values: dict[str, str], env_file: str) -> str:
    """The closing words for a stack with these values."""
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
