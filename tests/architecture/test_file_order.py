"""The order in which workers take files: nothing is lost, and what is long or waits does not come together."""

from pathlib import Path

from file_order import LONGEST, ONE_AT_A_TIME, WAITING, chain_of, in_turn

ROOT = Path(__file__).parents[2]
FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py"))


def test_every_file_is_taken_once():
    assert sorted(in_turn([*FILES, *FILES])) == FILES


def test_the_long_ones_are_begun_first_and_all_exist():
    order = in_turn(FILES)
    for begin in LONGEST:
        assert any(name.startswith(begin) for name in FILES), begin
    count = sum(name.startswith(LONGEST) for name in FILES)
    assert all(name.startswith(LONGEST) for name in order[:count])


def test_what_runs_one_at_a_time_is_one_chain_that_is_begun_first():
    chained = [name for name in FILES if name.startswith(ONE_AT_A_TIME)]
    assert all(any(name.startswith(begin) for name in FILES) for begin in ONE_AT_A_TIME)
    assert len({chain_of(name) for name in chained}) == 1
    assert in_turn(FILES)[0] in chained
    others = [name for name in FILES if name not in chained]
    assert [chain_of(name) for name in others] == others


def test_files_that_wait_are_spread():
    rest = [name for name in in_turn(FILES) if not name.startswith(LONGEST)]
    waiting = [name.startswith(WAITING) for name in rest]
    share = sum(waiting) / len(waiting)
    for start in range(0, len(rest) - 20, 20):
        assert abs(sum(waiting[start : start + 20]) - 20 * share) <= 2
    assert [name for name in rest if name.startswith(WAITING)] == [
        name for name in FILES if name.startswith(WAITING) and not name.startswith(LONGEST)
    ]
