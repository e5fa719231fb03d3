"""What the functions of the running stack log, merged by time."""

from __future__ import annotations

import time

from deploy import client
from settings import STACK_NAME, Settings

_GROUPS = f"/aws/lambda/{STACK_NAME}-"
_PLATFORM_LINES = ("START ", "END ", "REPORT ")
_RECENT_LINES_MAX = 25
_Identity = tuple[str, int, str]


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
    logs = client(settings, "logs")
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
