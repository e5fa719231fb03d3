"""docs/import-payments.py against a small server that answers as the API does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "import-payments.py"
# (status, headers) in place of an answer; None breaks the connection.
Fault = tuple[int, dict[str, str]] | None


class Server:
    """Keeps the lines it was sent, and answers each; before that, what a test makes go wrong."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.bytes: list[int] = []
        self.faults: list[Fault] = []
        self.outcome: Callable[[dict], tuple[str, dict | None]] = lambda _: ("created", None)
        self.keys: set[str | None] = set()

    def answer(self, body: bytes) -> bytes:
        lines = body.decode().split("\n")
        self.calls.append(lines)
        self.bytes.append(len(body))
        told = []
        for number, line in enumerate(lines, 1):
            outcome, problem = self.outcome(json.loads(line))
            told.append({"line": number, "payment_id": None, "outcome": outcome, "problem": problem})
        return json.dumps({"lines": told}).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    it = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            it.keys.add(self.headers["authorization"])
            assert (self.path, self.headers["content-type"]) == ("/v1/payments/import", "application/x-ndjson")
            if it.faults:
                fault = it.faults.pop(0)
                if fault is None:
                    return
                self.send_response(fault[0])
                for name, value in fault[1].items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"{}")
                return
            answer = it.answer(body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    it.url = f"http://127.0.0.1:{httpd.server_port}"
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield it
    httpd.shutdown()


def run(server: Server, file: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RECOUP_URL": server.url + "/", "RECOUP_KEY": "k"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(file)], env=environment, capture_output=True, text=True, timeout=60
    )


def write(folder: Path, count: int, padding: int = 0) -> Path:
    file = folder / "payments.jsonl"
    lines = (json.dumps({"id": f"p{number}", "metadata": {"a": "ä" * padding}}, ensure_ascii=False) for number in range(count))
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def sent(server: Server) -> list[str]:
    return [json.loads(line)["id"] for call in server.calls for line in call]


def test_every_line_is_sent_once_in_calls_of_500(server: Server, tmp_path: Path) -> None:
    file = write(tmp_path, 1201)
    with file.open("a") as lines:
        lines.write('\n  \n{"id": "last"}')
    done = run(server, file)
    assert (done.returncode, server.keys) == (0, {"Bearer k"}), done.stderr
    assert [len(call) for call in server.calls] == [500, 500, 202]
    assert sent(server) == [f"p{number}" for number in range(1201)] + ["last"]
    assert "1202 lines" in done.stdout and "a second: 1202 created" in done.stdout


def test_no_call_has_more_than_a_megabyte(server: Server, tmp_path: Path) -> None:
    assert run(server, write(tmp_path, 60, padding=15_000)).returncode == 0
    assert sent(server) == [f"p{number}" for number in range(60)]
    assert len(server.bytes) == 2 and max(server.bytes) <= 1_000_000


def test_what_is_lost_or_too_early_is_sent_again(server: Server, tmp_path: Path) -> None:
    server.faults = [(429, {"retry-after": "2"}), (503, {"retry-after": "1"}), None, (502, {})]
    done = run(server, write(tmp_path, 3))
    assert (done.returncode, sent(server)) == (0, ["p0", "p1", "p2"]), done.stderr
    assert "429: again in 2 s" in done.stderr and "502: again in" in done.stderr


def test_lines_that_may_succeed_later_are_sent_again_alone(server: Server, tmp_path: Path) -> None:
    tries: dict[str, int] = {}

    def outcome(line: dict) -> tuple[str, dict | None]:
        tries[line["id"]] = tries.get(line["id"], 0) + 1
        if line["id"] == "p1" and tries["p1"] < 3:
            return "refused", {"code": "unavailable", "retryable": True}
        if line["id"] == "p2":
            return "refused", {"code": "payment_conflict", "retryable": False, "param": "amount"}
        return "created", None

    server.outcome = outcome
    file = write(tmp_path, 4)
    done = run(server, file)
    assert tries == {"p0": 1, "p1": 3, "p2": 1, "p3": 1}
    refused = [json.loads(line) for line in Path(f"{file}.refused").read_text().splitlines()]
    assert [json.loads(entry["line"])["id"] for entry in refused] == ["p2"]
    assert refused[0]["problem"]["code"] == "payment_conflict"
    assert "3 created, 1 refused" in done.stdout and str(file) in done.stdout.splitlines()[-1]


def test_it_goes_on_where_it_was_stopped(server: Server, tmp_path: Path) -> None:
    file = write(tmp_path, 1200)
    server.faults = []
    calls = 0

    def outcome(line: dict) -> tuple[str, dict | None]:
        nonlocal calls
        calls += 1
        if calls == 501:
            server.faults.append((401, {}))
        return "created", None

    server.outcome = outcome
    stopped = run(server, file)
    assert stopped.returncode == 1 and "401" in stopped.stderr
    before = len(sent(server))
    assert run(server, file).returncode == 0
    assert before == 1000 and sent(server) == [f"p{number}" for number in range(1200)]
    # All is done: nothing is sent.
    assert run(server, file).returncode == 0
    assert len(sent(server)) == 1200


def test_without_an_address_it_says_how_it_is_called(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECOUP_")}
    told = subprocess.run([sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True)
    assert told.returncode == 2 and "RECOUP_URL" in told.stderr
