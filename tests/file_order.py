"""In which order workers take files: those that wait beside those that compute, and the longest not at the end."""

from collections.abc import Iterable, Sequence

LONGEST = (
    "tests/browser/",
    "tests/crash/test_live_kill.py",
    "tests/simulation/test_day_of_activity.py",
    "tests/simulation/test_jobs_twice.py",
    "tests/crash/test_kill.py",
    "tests/simulation/test_live_canary.py",
    "tests/crash/test_notify_kill.py",
)
"""Each takes a worker a good part of a minute or more: begun last, one of them would run alone."""
ONE_AT_A_TIME = (
    "tests/browser/",
    "tests/crash/test_live_kill.py",
    "tests/crash/test_kill.py",
    "tests/crash/test_notify_kill.py",
    "tests/crash/test_two_engines.py",
)
"""What these start has to come somewhere within a time, beside two others that compute: a single worker takes all of them."""
WAITING = ("tests/crash/", "tests/simulation/", "tests/engine_cli/")
"""Their tests start processes and wait for them, most of the time."""


def chain_of(file: str) -> str:
    """Returns the name of what a worker takes as a whole: a file, or all that are to run one at a time."""
    return "one at a time" if file.startswith(ONE_AT_A_TIME) else file


def in_turn(files: Iterable[str]) -> list[str]:
    """Returns files, or folders that end with a slash, in the order in which they are begun.

    The long ones come first. The others that wait are spread evenly among those that compute, so that workers, of which there
    is one more than cores, do not all wait at once, nor all compute.
    """
    left = list(dict.fromkeys(files))
    long = [name for begin in LONGEST for name in left if name.startswith(begin)]
    rest = [name for name in left if name not in long]
    waiting = [name for name in rest if name.startswith(WAITING)]
    computing = [name for name in rest if not name.startswith(WAITING)]
    return [*long, *_mixed(computing, waiting)]


def _mixed(many: Sequence[str], few: Sequence[str]) -> list[str]:
    """Returns both in their order, each spread over the whole length."""
    places = [((index + 0.5) / len(names), name) for names in (many, few) for index, name in enumerate(names)]
    return [name for _, name in sorted(places, key=lambda place: place[0])]
