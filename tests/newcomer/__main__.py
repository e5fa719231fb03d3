"""Walks the path of a newcomer: `python tests/newcomer [COMMAND...]`.

A copy of the checkout, a clean environment, and every block of the README and of docs/ that a shell can run, as printed:
`make up` and all that follows. Then `make up` again, which must find nothing to do; COMMAND (the tests that need a stack),
aimed at the stack that came up that way; and `make down`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pages

ROOT = Path(__file__).resolve().parents[2]
SECOND_UP_SECONDS_MAX = 30
# `make test` is what runs this; and Lambda's own container is tried by tests/sam_local, with the block as printed.
ELSEWHERE = ("make test", "\nsam local invoke")
# The README's example, once it has run: 10.00 of the seller's 25.00 and the supplier's 5.00 went back.
LEFT_OF_THE_EXAMPLE = {"platform": 100, "acc_4zjjxn0nm1tnweqbttedkvnsc8": 1500, "acc_4djj3n0hm1tn2eqwetedkvnsc3": 0}


def copy_checkout(to: Path) -> None:
    """What a clone would hold, with what is not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


class Walk:
    """The walk, and what went wrong on it."""

    def __init__(self, reader: pages.Reader) -> None:
        self.reader = reader
        self.wrong = 0

    def page(self, page: str) -> None:
        """Every block of a page."""
        count = 0
        for block in pages.blocks(self.reader.checkout, page):
            if any(command in block.text for command in ELSEWHERE):
                continue
            count += 1
            began = time.monotonic()
            mistakes, printed = self.reader.run(block)
            self.check(mistakes, str(block), printed)
            if (took := time.monotonic() - began) >= 5:
                print(f"{block}: {took:.0f} s", flush=True)
        print(f"{page}: {count} blocks", flush=True)

    def check(self, mistakes: list[str], where: str, printed: str) -> None:
        """Count and print what went wrong somewhere."""
        for mistake in mistakes:
            self.wrong += 1
            print(f"\n{where}: {mistake}\n{printed.strip()}\n", flush=True)

    def make(self, target: str, wanted: str) -> float:
        """Run a target again; it has to say something. Return the seconds it took."""
        began = time.monotonic()
        code, printed = self.reader.shell(f"make {target}")
        mistakes = [] if code == 0 else [f"exit code {code}"]
        self.check(mistakes + ([] if wanted in printed else [f"it does not say {wanted!r}"]), f"make {target}", printed)
        return time.monotonic() - began

    def second_up(self) -> None:
        """Another `make up` changes nothing, and is quick."""
        took = self.make("up", "nothing had changed")
        slow = [f"it took {took:.0f} s"] if took > SECOND_UP_SECONDS_MAX else []
        self.check(slow, "the second make up", "")
        code, printed = self.reader.shell(
            """. .local/env; curl "$RECOUP_URL/v1/payments/pay_926ap9a2ioesd1p0qsfjuk1bvv" -H "$RECOUP_AUTH" """
        )
        left = _left(printed) if code == 0 else {}
        wrong = [] if left == LEFT_OF_THE_EXAMPLE else [f"the example has {left} left, not {LEFT_OF_THE_EXAMPLE}"]
        self.check(wrong, "the README's example", printed)

    def aws_stays_aws(self) -> None:
        """A shell that has read `.local/env` reaches no local stack with an AWS tool: it asks for credentials."""
        code, printed = self.reader.shell(
            """. .local/env; env | grep ^AWS_ && exit 1
            AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true \\
              AWS_DEFAULT_REGION=eu-central-1 .local/venv/bin/sam list stack-outputs --stack-name recoup 2>&1 || true"""
        )
        wrong = [] if code == 0 and "credentials" in printed.lower() else ["an AWS tool did not look for credentials"]
        self.check(wrong, ".local/env", printed)

    def webhooks(self) -> None:
        """`make listen` has shown the example's webhooks, with right signatures."""
        heard = self.reader.interrupt().get("make listen", "")
        wrong = [] if "signature right" in heard and "refund.succeeded" in heard else ["no refund.succeeded was shown"]
        self.check(wrong, "make listen", heard)


def _left(payment: str) -> dict[str, int]:
    routing = json.loads(payment)["routing"]
    merchants = {actor["account_id"]: actor["refundable_amount"] for actor in routing["merchants"]}
    return {"platform": routing["platform"]["refundable_amount"], **merchants}


def main(command: list[str]) -> int:
    """1 if a page does not keep its word, else what the command returns."""
    docs = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
    with tempfile.TemporaryDirectory(prefix="recoup-newcomer-") as folder:
        checkout, desk = Path(folder) / "recoup", Path(folder) / "desk"
        copy_checkout(checkout)
        walk = Walk(pages.Reader(checkout, desk))
        try:
            walk.page("README.md")
            walk.second_up()
            walk.aws_stays_aws()
            for page in docs:
                walk.page(page)
            walk.webhooks()
            on_stack = checkout / ".local" / "on-stack"
            code = 0
            if command and on_stack.exists():
                code = subprocess.run([str(on_stack), *command], cwd=ROOT, env=os.environ, check=False).returncode
        finally:
            walk.reader.interrupt()
            walk.make("down", "The stack has ended.")
        left = [name for name in ("env", "on-stack", "server.json") if (checkout / ".local" / name).exists()]
        walk.check([f"it left {left}"] if left else [], "make down", "")
    print(f"The newcomer's path: {walk.wrong} mistakes" if walk.wrong else "The newcomer's path is as printed.")
    return 1 if walk.wrong else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
