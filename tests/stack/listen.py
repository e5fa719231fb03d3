"""A webhook receiver to watch: prints what arrives and whether the signature is right."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8788
_BODY_BYTES_MAX = 1 << 20


def signature_is_right(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Standard Webhooks 1.0: HMAC-SHA-256 over `id.timestamp.body`, one right signature is enough."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = (headers.get("webhook-signature") or "").split()
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given)


def listen(secret: str) -> None:
    """Receive on 127.0.0.1 until interrupted."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(min(int(self.headers.get("content-length") or 0), _BODY_BYTES_MAX))
            verdict = "right" if signature_is_right(secret, self.headers, body) else "WRONG"
            print(f"webhook-id {self.headers.get('webhook-id')}   signature {verdict}")
            print(_pretty(body), flush=True)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing but the webhooks is printed."""

    print(f"Waiting for webhooks on http://127.0.0.1:{PORT}/ (interrupt to end)", flush=True)
    with ThreadingHTTPServer(("127.0.0.1", PORT), Receiver) as server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2)
    except ValueError:
        return body.decode(errors="replace")
