"""The local stack: `python3 tests/stack up | down | listen | logs | admin | tools | with <command>` (Makefile)."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import seed
import stack
import watch
from settings import ROOT, Settings
from steps import Problem, say
from tools import check_cargo, check_python, continue_in_venv, in_venv, install

_BUILT = "RECOUP_BUILT"


def prepare() -> None:
    """Compile the functions and install the tools, side by side; go on inside the virtual environment."""
    if not os.environ.pop(_BUILT, None):
        check_cargo()
        with ThreadPoolExecutor(1) as beside:
            tools = beside.submit(install, everything=False)
            stack.compile_functions()
            tools.result()
        if not in_venv():
            os.environ[_BUILT] = "yes"
    continue_in_venv()


def up(settings: Settings) -> Settings:
    """Bring the stack up to date with the checkout, keeping what exists; return its settings as it runs."""
    settings.state.mkdir(parents=True, exist_ok=True)
    settings = stack.at_its_port(settings)
    template = stack.package(settings)
    stack.start(settings)
    changed = stack.deploy(settings, template, stack.fingerprint(settings, template))
    values = seed.read(settings)
    if not values or changed:
        outputs = stack.outputs(settings)
        account = seed.account_of(values) or seed.make_account(settings, outputs["AdminFunctionName"])
        seed.register_payment(settings, outputs["ApiUrl"], account.api_key)
        seed.write(settings, account, outputs)
    say("The stack is up." if changed else "The stack is up, and nothing had changed.")
    return settings


def down(settings: Settings) -> None:
    """End the stack; what it held is gone with it."""
    ended = stack.stop(settings)
    settings.forget()
    say("The stack has ended." if ended else "No stack was running.")


def run_with(command: list[str]) -> int:
    """Run a command against a stack of its own, beside the one that may be running, and end that stack."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings = Settings.of_stack("test")
    try:
        settings = up(settings)
        return subprocess.run([str(settings.on_stack_file), *command], cwd=ROOT, check=False).returncode
    finally:
        down(settings)


def running() -> Settings:
    """The checkout's own stack, which has to run."""
    settings = Settings.of_stack()
    if stack.recorded_port(settings) is None or not settings.env_file.exists():
        raise Problem("No stack is running. First: make up")
    return stack.at_its_port(settings)


def admin(settings: Settings, command: str) -> int:
    """Invoke the admin function with one command and print what it answers; 1 if it refused."""
    if not command:
        raise Problem("""Which command? For example: make admin CMD='{"command":"latest_reports"}'""")
    try:
        told = json.loads(command)
    except ValueError as error:
        raise Problem(f"CMD is not JSON ({error}): {command}") from None
    if isinstance(told, dict):
        told.setdefault("operator", getpass.getuser())
    done, said = seed.admin(settings, seed.read(settings)["RECOUP_ADMIN_FUNCTION"], told)
    if not done:
        print(said.get("errorMessage", said) if isinstance(said, dict) else said, file=sys.stderr)
        return 1
    print(json.dumps(said, indent=2))
    return 0


def main(arguments: list[str]) -> int:
    """Do what the command line asks; 1 with a sentence if that cannot be."""
    # A proxy of the user's has no way to this machine's loopback interface.
    direct = [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1", "localhost"]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, direct))
    try:
        check_python()
        return _do(arguments[0] if arguments else "", arguments[1:])
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _do(command: str, rest: list[str]) -> int:
    if command == "up":
        prepare()
        print(seed.hint(up(Settings.of_stack())))
    elif command == "down":
        down(Settings.of_stack())
    elif command == "tools":
        install(everything=True)
    elif command == "with" and rest:
        install(everything=True)
        prepare()
        return run_with(rest)
    elif command in ("listen", "logs", "admin"):
        settings = running() if command != "listen" else Settings.of_stack()
        install(everything=False)
        continue_in_venv()
        if command == "admin":
            return admin(settings, os.environ.get("CMD", ""))
        if command == "logs":
            watch.follow(settings)
        watch.listen(lambda: seed.read(settings).get("RECOUP_WEBHOOK_SECRET"))
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
