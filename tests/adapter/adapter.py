"""An example of an adapter for Recoup's `http` processor: Python alone, about a hundred lines.

A team puts its own bank behind `Bank`. What else is here is what docs/processors.md asks of every adapter:
verify the signature, do each refund once for its id, remember it, answer by id, tell what settled later.

    ADAPTER_SECRET=whsec_... NOTIFY_URL=http://127.0.0.1:1234/ python3 adapter.py [PORT]
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
BODY_BYTES_MAX = 64 * 1024


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Standard Webhooks 1.0: HMAC-SHA-256 over `id.timestamp.body`, in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Bank:
    """What the team has to write. This one says yes, no or later by the payment's reference."""

    def __init__(self) -> None:
        # A real one keeps this in its database, for as long as it lives: ids come again after days.
        self.refunds: dict[str, dict] = {}
        self.lock = threading.Lock()

    def refund(self, order: dict) -> dict:
        """Move the money, unless it was moved already under this id."""
        with self.lock:
            if order["refund_id"] not in self.refunds:
                self.refunds[order["refund_id"]] = {"order": order, "answer": self._move(order)}
            return self.refunds[order["refund_id"]]["answer"]

    def _move(self, order: dict) -> dict:
        if order["payment_reference"].startswith("closed"):
            own_words = {"processor_code": "AC04", "processor_message": "Closed account number"}
            failure = {"code": "expired_or_closed_account", "message": "Closed.", **own_words}
            return {"status": "failed", "failure": failure}
        if order["payment_reference"].startswith("slow"):
            threading.Thread(target=self._settle_later, args=(order,), daemon=True).start()
            return {"status": "pending"}
        # The number by which the customer's bank finds the money, if yours has one.
        number = {"kind": "trace_id", "value": "trace-" + order["refund_id"]}
        paid = {"status": "succeeded", "reference": "bank-" + order["refund_id"], "bank_reference": number}
        return paid | self._recovery(order)

    def _recovery(self, order: dict) -> dict:
        """Who has given its part. This bank takes it with the refund; a real one says who lacks the money."""
        if order.get("split") != "executed":
            return {}
        taken = [{"account_id": part["account_id"], "status": "recovered", "reference": "debit-" + part["account_id"]}
                 for part in order["routing"]["merchants"]]
        return {"recovery": taken}

    def _settle_later(self, order: dict) -> None:
        answer = {"status": "succeeded", "reference": "bank-" + order["refund_id"]} | self._recovery(order)
        with self.lock:  # not before the order itself was written down
            self.refunds[order["refund_id"]]["answer"] = answer
        notify(order, answer)


def notify(order: dict, answer: dict) -> None:
    """Tell Recoup; until it answers 2xx a real adapter tells it again, under the same id."""
    names = {key: order[key] for key in ("environment", "account_id", "refund_id")}
    body = json.dumps(names | answer).encode()
    message_id, timestamp = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(os.environ["ADAPTER_SECRET"], message_id, timestamp, body),
    }
    request = urllib.request.Request(os.environ["NOTIFY_URL"], data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=10):
        pass


class Adapter(BaseHTTPRequestHandler):
    """POST /refunds and GET /refunds/{id}."""

    bank = Bank()

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), BODY_BYTES_MAX))
        if self.path != "/refunds" or not self.is_genuine(body):
            return self.answer(401, {})
        self.answer(200, self.bank.refund(json.loads(body)))

    def do_GET(self) -> None:
        refund_id = self.path.removeprefix("/refunds/")
        if refund_id != self.headers.get("webhook-id") or not self.is_genuine(b""):
            return self.answer(401, {})
        found = self.bank.refunds.get(refund_id)
        self.answer(200, found["answer"]) if found else self.answer(404, {})

    def is_genuine(self, body: bytes) -> bool:
        message_id, timestamp = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
            return False
        expected = signature(os.environ["ADAPTER_SECRET"], message_id, timestamp, body)
        given = self.headers.get("webhook-signature", "").split(" ")
        return any(hmac.compare_digest(expected, one) for one in given)

    def answer(self, status: int, body: dict) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing: an access log would be the team's own."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Adapter)
    print(server.server_address[1], flush=True)
    server.serve_forever()
