"""A process that learns with others, as their leader tells it over standard input.

It writes nothing but its last words. A leader that is gone ends it.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from pathlib import Path

import orjson

from engine.errors import Interrupted, SmeltError
from engine.training import load_packages, taught_by
from engine.training.company import Errand, join
from engine.training.team import Followed
from engine.training.threads import spin_briefly


def main() -> int:
    """Follow to the end. 0 when that was reached, 1 when the leader is gone, 2 when it cannot be done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a Ctrl-C the leader hears, and ends us
    spin_briefly()
    errand = Errand(**orjson.loads(sys.stdin.buffer.read()))
    load_packages(errand.family)
    lesson = errand.lesson(join(errand))
    try:
        with suppress(Followed):
            taught_by(errand.family, lesson, Path(errand.folder))
    except Interrupted:
        return 1
    except SmeltError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
