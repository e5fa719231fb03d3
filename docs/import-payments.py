#!/usr/bin/env python3
"""Feeds POST /v1/payments/import from a file of JSON lines: see import-payments.md.

    RECOUP_URL=https://refunds.example.com RECOUP_KEY=rk_... python3 import-payments.py payments.jsonl

It may be stopped and started again: how far it came stands in payments.jsonl.progress, and a line that is sent twice
changes nothing. Lines that are refused go to payments.jsonl.refused, each with its problem.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

LINES_MAX = 500
BYTES_MAX = 1_000_000
WAIT_FIRST, WAIT_LONGEST = 1.0, 60.0
ANSWER_SECONDS = 40


class Refused(Exception):
    """The call as a whole was refused, and would be again."""


def calls(path: Path, position: int) -> Iterator[tuple[list[bytes], int]]:
    """What one call takes, and the position in the file behind it."""
    lines: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        file.seek(position)
        for raw in file:
            line = raw.strip()
            if lines and (len(lines) == LINES_MAX or size + len(line) + 1 > BYTES_MAX):
                yield lines, position
                lines, size = [], 0
            if line:
                lines.append(line)
                size += len(line) + 1
            position += len(raw)
    if lines:
        yield lines, position


def sent(url: str, key: str, lines: list[bytes]) -> list[dict]:
    """What came of each line, however often it has to be asked for."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/x-ndjson"}
    wait = WAIT_FIRST
    while True:
        request = urllib.request.Request(f"{url}/v1/payments/import", b"\n".join(lines), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                return json.load(answer)["lines"]
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            if error.code != 429 and error.code < 500:
                raise Refused(f"{error.code}: {said}") from error
            why, pause = f"{error.code}", error.headers.get("retry-after", "")
        except (OSError, http.client.HTTPException, ValueError) as error:
            why, pause = type(error).__name__, ""
        seconds = max(float(pause), WAIT_FIRST) if pause.isdigit() else wait
        print(f"{why}: again in {seconds:.0f} s", file=sys.stderr)
        time.sleep(seconds)
        wait = min(wait * 2, WAIT_LONGEST)


def imported(url: str, key: str, lines: list[bytes], refused: Path) -> dict[str, int]:
    """Sends these lines, those again that may succeed a little later; what is refused goes to its file."""
    counts: dict[str, int] = {}
    wait = WAIT_FIRST
    while lines:
        again: list[bytes] = []
        with refused.open("a", encoding="utf-8") as file:
            for outcome in sent(url, key, lines):
                line, problem = lines[outcome["line"] - 1], outcome["problem"]
                if problem and problem["retryable"]:
                    again.append(line)
                    continue
                counts[outcome["outcome"]] = counts.get(outcome["outcome"], 0) + 1
                if problem:
                    entry = {"line": line.decode(errors="replace"), "problem": problem}
                    file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        if again:
            time.sleep(wait)
            wait = min(wait * 2, WAIT_LONGEST)
        lines = again
    return counts


def main() -> int:
    if len(sys.argv) != 2 or "RECOUP_URL" not in os.environ or "RECOUP_KEY" not in os.environ:
        print(__doc__, file=sys.stderr)
        return 2
    url, key, path = os.environ["RECOUP_URL"].rstrip("/"), os.environ["RECOUP_KEY"], Path(sys.argv[1])
    progress, refused = Path(f"{path}.progress"), Path(f"{path}.refused")
    position = int(progress.read_text()) if progress.exists() else 0
    began, done, totals = time.monotonic(), 0, dict[str, int]()
    for lines, behind in calls(path, position):
        try:
            counts = imported(url, key, lines, refused)
        except Refused as error:
            print(error, file=sys.stderr)
            return 1
        # Written beside and moved: a stop in between leaves the one or the other.
        beside = Path(f"{progress}.new")
        beside.write_text(str(behind))
        beside.replace(progress)
        done += len(lines)
        for outcome, count in counts.items():
            totals[outcome] = totals.get(outcome, 0) + count
        rate = done / max(time.monotonic() - began, 0.001)
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.items()))
        print(f"{done} lines, {rate:.0f} a second: {told}", flush=True)
    print("done" if not totals.get("refused") else f"done; see {refused}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
