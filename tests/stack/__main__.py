"""The local stack: `python3 tests/stack up | down | listen | logs | tools | with <command>`; see the Makefile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

from settings import ROOT, Settings
from steps import Problem, say
from tools import check_cargo, check_python, continue_in_venv, install, path


def up(settings: Settings) -> dict[str, str]:
    """Bring the stack up to date with the checkout, keeping what exists; return the values of its env file."""
    import build
    import deploy
    import envfile
    import seed
    import server

    settings.state.mkdir(parents=True, exist_ok=True)
    running = server.recorded_port(settings)
    if running and running != settings.port:
        if settings.port_was_chosen:
            raise Problem(f"The stack runs on port {running} already. First: make down")
        settings = replace(settings, port=running)
    server.check_port(settings)
    template = build.build_and_package(settings)
    server.start(settings)
    changed = deploy.deploy(settings, template, build.fingerprint(settings, template))
    values = envfile.read(settings)
    if not values or changed:
        outputs = deploy.outputs(settings)
        account = envfile.account_of(values) or seed.make_account(settings, outputs["AdminFunctionName"])
        seed.register_payment(settings, outputs["ApiUrl"], account.api_key)
        values = envfile.write(settings, account, outputs)
    say("The stack is up." if changed else "The stack is up, and nothing had changed.")
    return values


def down(settings: Settings) -> None:
    """End the stack; what it held is gone with it."""
    import server

    ended = server.stop(settings)
    for left in (settings.env_file, settings.deployed_file):
        left.unlink(missing_ok=True)
    say("The stack has ended." if ended else "No stack was running.")


def run_with(settings: Settings, command: list[str]) -> int:
    """Run a command against the stack, with its values in the environment; end the stack if this started it."""
    import server

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    was_running = server.recorded_port(settings) is not None
    try:
        values = up(settings)
        environment = {**os.environ, **values, "PATH": path()}
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    finally:
        if not was_running:
            down(settings)


def main(arguments: list[str]) -> int:
    """Do what the command line asks; 1 with a sentence if that cannot be."""
    settings = Settings.from_environment()
    # A proxy of the user's has no way to this machine's loopback interface.
    direct = [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1", "localhost"]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, direct))
    command = arguments[0] if arguments else ""
    try:
        check_python()
        if command == "down":
            down(settings)
            return 0
        if command in ("up", "with"):
            check_cargo()
        if command in ("up", "with", "tools", "listen", "logs"):
            install()
            continue_in_venv()
        if command == "up":
            import hint

            print(hint.text(up(settings), os.path.relpath(settings.env_file, ROOT)))
        elif command == "listen":
            import envfile
            import listen

            listen.listen(lambda: envfile.read(settings).get("RECOUP_WEBHOOK_SECRET"))
        elif command == "logs":
            import logs
            import server

            port = server.recorded_port(settings)
            if port is None:
                raise Problem("No stack is running. First: make up")
            logs.follow(replace(settings, port=port))
        elif command == "with" and arguments[1:]:
            return run_with(settings, arguments[1:])
        elif command != "tools":
            print(__doc__)
            return 2
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
