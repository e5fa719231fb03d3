"""Feeds the document's Python receiver: `python.py receiver.py`, vectors on stdin, the events it gave on stdout."""

from __future__ import annotations

import json
import runpy
import sys

verified = runpy.run_path(sys.argv[1])["verified"]


def judged(vector: dict) -> object:
    try:
        return verified(vector["secret"], vector["headers"], vector["body"].encode())
    except ValueError:
        return None


json.dump([judged(vector) for vector in json.load(sys.stdin)], sys.stdout)
