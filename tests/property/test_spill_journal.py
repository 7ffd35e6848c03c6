import math
import struct
import tempfile
import zlib
from pathlib import Path

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import FEW, MANY
from property.fake_stores import encoded
from property.made_trades import LANES, decided, described, laned

import engine.adapters.spill_journal as module
from engine.adapters.spill_journal import HEADER_BYTES, JournalBusyError, open_journal
from protocols.amounts import SIZE_MICRO_MAX
from protocols.decisions import DecidedTrade
from protocols.errors import StorageFullError
from protocols.trades import LanedTrade

RUN = b"run-0001"
BIG = 1 << 30


def opened(directory, *, run=RUN, bytes_max=BIG):
    return open_journal(Path(directory), bytes_max=bytes_max, run_id=run)


@pytest.fixture
def journal(tmp_path):
    one = opened(tmp_path)
    yield one
    one.close()


def kept(trades):
    return [(described(one.trade), one.lane) for one in trades]


def all_of(journal):
    found = []
    while (trades := journal._read_oldest()) is not None:
        found.extend(trades)
        journal._discard_oldest()
    return found


BATCHES = st.lists(st.lists(LANES, min_size=1, max_size=5), max_size=8).map(
    lambda batches: [[laned(b * 10 + n, lane) for n, lane in enumerate(batch)] for b, batch in enumerate(batches)]
)


async def test_what_was_appended_is_read_in_order_and_then_gone(journal, tmp_path):
    trades = [laned(n) for n in range(10)]
    assert await journal.read_oldest() is None
    await journal.append(trades[:4])
    await journal.append(trades[4:])
    assert journal.size_bytes == sum(path.stat().st_size for path in tmp_path.glob("*.spill")) > 0
    assert await journal.read_oldest() == tuple(trades)
    await journal.discard_oldest()
    assert await journal.read_oldest() is None
    assert journal.size_bytes == 0
    assert not list(tmp_path.glob("*.spill"))


async def test_reading_seals_so_that_nothing_is_added_to_what_was_read(journal):
    await journal.append([laned(1)])
    assert await journal.read_oldest() == (laned(1),)
    await journal.append([laned(2)])
    assert await journal.read_oldest() == (laned(1),)
    await journal.discard_oldest()
    assert await journal.read_oldest() == (laned(2),)


@FEW
@given(batches=BATCHES, ops=st.lists(st.sampled_from(["append", "read", "discard", "reopen"]), max_size=25))
def test_it_is_a_queue_of_segments_over_any_operations_and_restarts(batches, ops):
    with tempfile.TemporaryDirectory() as directory:
        journal, expected, was_read = opened(directory), [], False
        for number, op in enumerate(ops):
            if op == "append" and batches:
                journal._append(encoded(batches[0]))
                expected.extend(batches.pop(0))
            elif op == "read":
                found = journal._read_oldest()
                was_read = found is not None
                assert (found is None) == (not expected)
                assert kept(found or ()) == kept(expected[: len(found or ())])
            elif op == "discard" and was_read:
                expected = expected[len(journal._read_oldest()) :]
                journal._discard_oldest()
                was_read = False
            elif op == "reopen":
                journal.close()
                journal = opened(directory, run=number.to_bytes(8, "big"))
            assert journal.size_bytes == sum(path.stat().st_size for path in Path(directory).glob("*.spill"))
        assert kept(all_of(journal)) == kept(expected)
        assert journal.size_bytes == 0
        journal.close()


def test_segments_are_bounded_and_read_oldest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_BYTES", 2_000)
    journal = opened(tmp_path)
    trades = [laned(n) for n in range(40)]
    for one in trades:
        journal._append(encoded([one]))
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.spill"))]
    assert len(sizes) > 5
    assert all(2_000 <= size < 3_000 for size in sizes[:-1])
    journal.close()
    again = opened(tmp_path, run=b"run-0002")
    again._append(encoded([laned(99)]))
    assert kept(all_of(again)) == kept([*trades, laned(99)])
    again.close()


def test_a_new_run_goes_on_after_the_numbers_of_the_old_one(tmp_path):
    for run in range(3):
        journal = opened(tmp_path, run=run.to_bytes(8, "big"))
        journal._append(encoded([laned(run)]))
        journal.close()
    assert [path.name for path in sorted(tmp_path.glob("*.spill"))] == [f"{n:010d}.spill" for n in (1, 2, 3)]


def test_arrival_is_kept_within_a_run_and_unknown_in_the_next(tmp_path):
    journal = opened(tmp_path)
    journal._append(encoded([laned(1)]))
    assert journal._read_oldest()[0].trade.seen_s == 0.0
    journal.close()
    again = opened(tmp_path, run=b"run-0002")
    assert math.isnan(again._read_oldest()[0].trade.seen_s)
    again.close()


def test_one_process_a_directory(tmp_path):
    journal = opened(tmp_path / "deep" / "journal")
    with pytest.raises(JournalBusyError):
        opened(tmp_path / "deep" / "journal")
    journal.close()
    opened(tmp_path / "deep" / "journal").close()
    assert (tmp_path / "deep" / "journal").stat().st_mode & 0o777 == 0o700


def test_foreign_files_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "copy.spill").write_text("mine too")
    journal = opened(tmp_path)
    journal._append(encoded([laned(1)]))
    assert len(all_of(journal)) == 1
    journal.close()
    assert (tmp_path / "copy.spill").read_text() == "mine too"


def test_a_run_is_named_by_eight_bytes(tmp_path):
    with pytest.raises(ValueError, match="8 bytes"):
        opened(tmp_path, run=b"x")


@MANY
@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=12), room=st.integers(0, 6_000))
def test_the_bound_is_kept_and_what_does_not_fit_leaves_no_trace(sizes, room):
    with tempfile.TemporaryDirectory() as directory:
        journal, accepted, number = opened(directory, bytes_max=room), [], 0
        for size in sizes:
            batch = [laned(number + n) for n in range(size)]
            number += size
            data = encoded(batch)
            header = 0 if accepted else HEADER_BYTES
            if journal.size_bytes + header + len(data) > room:
                with pytest.raises(StorageFullError):
                    journal._append(data)
            else:
                journal._append(data)
                accepted.extend(batch)
            assert journal.size_bytes <= room
            assert journal.size_bytes == sum(path.stat().st_size for path in Path(directory).glob("*.spill"))
        assert kept(all_of(journal)) == kept(accepted)
        journal.close()


def test_room_comes_back_when_a_segment_is_discarded(tmp_path):
    data = encoded([laned(1)])
    journal = opened(tmp_path, bytes_max=len(data) + HEADER_BYTES)
    journal._append(data)
    with pytest.raises(StorageFullError):
        journal._append(data)
    all_of(journal)
    journal._append(data)
    journal.close()


def test_decisions_come_back_whole_and_rows_without_any_are_as_small_as_ever(journal):
    trades = [decided(laned(1), "now", "book"), laned(2), decided(laned(3))]
    assert encoded([trades[2]]) == encoded([laned(3)])
    assert len(encoded([laned(2)])) < 900
    journal._append(encoded(trades))
    assert journal._read_oldest() == (trades[0], trades[1], laned(3))


def test_records_of_a_version_without_decisions_are_read(journal):
    """Encoded as that version did it."""
    payload = msgspec.msgpack.encode(LanedTrade(laned(1).trade, laned(1).lane))
    assert set(msgspec.msgpack.decode(payload)) == {"trade", "lane"}
    journal._append(struct.pack(">II", len(payload), zlib.crc32(payload)) + payload)
    assert journal._read_oldest() == (laned(1),)
    assert journal.corrupt_records == 0


def test_a_decision_of_a_thousand_strategies_fits_into_a_record(journal):
    one = decided(laned(1), "now")
    many = msgspec.structs.replace(one.decisions[0], snapshot="x" * 3_000_000)
    big = DecidedTrade(one.trade, one.lane, (many,))
    journal._append(encoded([big, laned(2)]))
    assert journal._read_oldest() == (big, laned(2))


@pytest.mark.parametrize("micro", [1, 10**6, SIZE_MICRO_MAX])
def test_every_size_that_counts_as_valid_can_be_kept(journal, micro):
    big = LanedTrade(msgspec.structs.replace(laned(1).trade, size_micro=micro), laned(1).lane)
    journal._append(encoded([big]))
    assert journal._read_oldest()[0].trade.size_micro == micro


async def test_appending_and_replaying_side_by_side_neither_lose_nor_miscount(journal):
    found, done = [], False

    async def append():
        nonlocal done
        for number in range(150):
            await journal.append([laned(number)])
        done = True

    async def replay():
        while not (done and journal.size_bytes == 0):
            trades = await journal.read_oldest()
            if trades is not None:
                found.extend(trades)
                await journal.discard_oldest()

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(append)
            nursery.start_soon(replay)
    assert kept(found) == kept([laned(number) for number in range(150)])
    assert journal.size_bytes == 0
    assert journal.corrupt_records == 0
