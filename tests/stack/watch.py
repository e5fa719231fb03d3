"""What can be watched: the webhooks as they arrive, with whether the account's own secret has signed them, and what the
functions log.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from settings import STACK_NAME, Settings
from steps import Problem

PORT = 8788
_BODY_BYTES_MAX = 1 << 20
_GROUPS = f"/aws/lambda/{STACK_NAME}-"
_PLATFORM_LINES = ("START ", "END ", "REPORT ")
_RECENT_LINES_MAX = 25
_Identity = tuple[str, int, str]


def signature_is_right(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Standard Webhooks 1.0: HMAC-SHA-256 over `id.timestamp.body`, one right signature is enough."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = (headers.get("webhook-signature") or "").split()
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given)


def listen(secret: Callable[[], str | None]) -> None:
    """Receive on 127.0.0.1 until interrupted; the secret is that of the stack that runs when a webhook comes."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(min(int(self.headers.get("content-length") or 0), _BODY_BYTES_MAX))
            print(f"webhook-id {self.headers.get('webhook-id')}   signature {_verdict(secret(), self.headers, body)}")
            print(_pretty(body), flush=True)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing but the webhooks is printed."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", PORT), Receiver)
    except OSError as error:
        raise Problem(f"Port {PORT} of 127.0.0.1 cannot be listened on: {error.strerror}.") from None
    print(f"Waiting for webhooks on http://127.0.0.1:{PORT}/ (interrupt to end)", flush=True)
    with server:
        server.serve_forever()


def _verdict(secret: str | None, headers: Mapping[str, str], body: bytes) -> str:
    if secret is None:
        return "not checked, for no stack is up"
    if signature_is_right(secret, headers, body):
        return "right"
    return "not by the account's secret (an endpoint signs with its own)"


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2)
    except ValueError:
        return body.decode(errors="replace")


def recent(settings: Settings) -> str:
    """The last lines of all functions together."""
    return "\n".join(_new_lines(settings, set())[-_RECENT_LINES_MAX:])


def follow(settings: Settings) -> None:
    """Print what is there and then what comes, until interrupted."""
    seen: set[_Identity] = set()
    while True:
        for line in _new_lines(settings, seen):
            print(line, flush=True)
        time.sleep(1)


def _new_lines(settings: Settings, seen: set[_Identity]) -> list[str]:
    """The lines not seen before, oldest first, each with its function's name; notes them as seen."""
    logs = settings.client("logs")
    lines = []
    for group in logs.describe_log_groups(logGroupNamePrefix=_GROUPS)["logGroups"]:
        name = group["logGroupName"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
            for event in page["events"]:
                # MiniStack gives events no id.
                identity = (event.get("logStreamName", ""), event["timestamp"], event["message"])
                known = identity in seen
                seen.add(identity)
                if not known and not event["message"].startswith(_PLATFORM_LINES):
                    lines.append((event["timestamp"], f"{name.removeprefix(_GROUPS)}: {event['message'].rstrip()}"))
    return [line for _, line in sorted(lines, key=lambda entry: entry[0])]
