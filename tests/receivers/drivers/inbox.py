"""Serves the document's whole Python receiver: `inbox.py receiver.py`. Prints its port; to each line on stdin, it
works twice and prints what it had to do and what it then knows."""

from __future__ import annotations

import json
import os
import runpy
import sys
import tempfile
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

with tempfile.TemporaryDirectory() as directory:
    os.environ["INBOX"] = str(Path(directory) / "inbox.db")
    receiver = runpy.run_path(sys.argv[1])
    handler = type("Quiet", (receiver["Receiver"],), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    for _ in sys.stdin:
        with receiver["database"]() as connection:
            waiting = connection.execute("SELECT count(*) FROM inbox WHERE done = 0").fetchone()[0]
        receiver["work"]()
        receiver["work"]()
        with receiver["database"]() as connection:
            left = connection.execute("SELECT count(*) FROM inbox WHERE done = 0").fetchone()[0]
            refunds = dict(connection.execute("SELECT id, status FROM refunds ORDER BY id").fetchall())
        print(json.dumps({"waiting": waiting, "left": left, "refunds": refunds}), flush=True)
    server.shutdown()
