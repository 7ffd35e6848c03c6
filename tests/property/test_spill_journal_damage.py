import os
import resource
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.fake_stores import encoded
from property.made_trades import described, laned
from property.test_spill_journal import all_of, kept, opened

import engine.adapters.spill_journal as module
from engine.adapters.spill_journal import HEADER_BYTES
from protocols.errors import StorageFullError

TRADES = [laned(n) for n in range(4)]
WHOLE = b"PCSPILL1run-0001" + encoded(TRADES)
LAST_BYTES = len(encoded(TRADES[-1:]))


def read_back(data):
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "0000000001.spill").write_bytes(data)
        journal = opened(directory)
        found = journal._read_oldest()
        journal._discard_oldest()
        assert journal.size_bytes == 0
        corrupt = journal.corrupt_records
        journal.close()
        return found, corrupt


def test_a_record_torn_at_any_byte_costs_only_itself():
    for cut in range(1, LAST_BYTES):
        found, _ = read_back(WHOLE[:-cut])
        assert kept(found) == kept(TRADES[:3])
    assert kept(read_back(WHOLE)[0]) == kept(TRADES)


def test_a_file_torn_anywhere_yields_a_prefix():
    for length in range(0, len(WHOLE), 7):
        found, _ = read_back(WHOLE[:length])
        assert kept(found) == kept(TRADES)[: len(found)]


def test_a_damaged_byte_never_raises_and_never_yields_a_wrong_trade():
    right = {described(one.trade) for one in TRADES}
    for position in range(len(WHOLE)):
        for flip in (0x01, 0xFF)[position % 2 :]:
            damaged = bytearray(WHOLE)
            damaged[position] ^= flip
            found, _ = read_back(bytes(damaged))
            assert {described(one.trade) for one in found} <= right
            if position >= HEADER_BYTES:
                assert len(found) <= 3


@MANY
@given(data=st.binary(max_size=400), at=st.integers(0, len(WHOLE)), insert=st.booleans())
def test_any_garbage_is_survived(data, at, insert):
    right = {described(one.trade) for one in TRADES}
    found, _ = read_back(WHOLE[:at] + data + WHOLE[at if insert else at + len(data) :])
    assert {described(one.trade) for one in found} <= right
    read_back(data)


def test_a_damaged_payload_is_counted_logged_and_costs_only_itself(caplog):
    damaged = bytearray(WHOLE)
    damaged[HEADER_BYTES + 8 + 30] ^= 0xFF
    found, corrupt = read_back(bytes(damaged))
    assert kept(found) == kept(TRADES[1:])
    assert corrupt == 1
    assert [record.message for record in caplog.records] == ["corrupt record in the journal, skipped"]


def test_a_damaged_length_is_counted_too():
    damaged = bytearray(WHOLE)
    damaged[HEADER_BYTES] = 0x7F
    found, corrupt = read_back(bytes(damaged))
    assert not found
    assert corrupt >= 1


@pytest.fixture
def journal(tmp_path):
    one = opened(tmp_path)
    yield one
    one.close()


@pytest.fixture
def limited():
    """Files may grow to a given size and no further, as on a full disk: a write is cut short, the next one fails."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def check_full_then_usable(journal, directory, accepted, limited, unlimited):
    """After a failed append nothing of it is left, and with room again the journal goes on."""
    assert journal.size_bytes == sum(path.stat().st_size for path in Path(directory).glob("*.spill"))
    limited(unlimited)
    journal._append(encoded([laned(50)]))
    assert kept(all_of(journal)) == kept([*accepted, laned(50)])
    assert journal.corrupt_records == 0


@pytest.mark.parametrize("room", [0, 1, 7, 8, 9, 100, LAST_BYTES - 1])
def test_a_full_disk_keeps_nothing_by_half(journal, tmp_path, limited, room):
    journal._append(encoded(TRADES))
    size = journal.size_bytes
    limited(size + room)
    for _ in range(2):
        with pytest.raises(StorageFullError):
            journal._append(encoded([laned(9)]))
    check_full_then_usable(journal, tmp_path, TRADES, limited, resource.RLIM_INFINITY)


@pytest.mark.parametrize("room", [0, 8, HEADER_BYTES, HEADER_BYTES + 20])
def test_a_disk_that_is_full_from_the_start_leaves_no_file(journal, tmp_path, limited, room):
    limited(room)
    with pytest.raises(StorageFullError):
        journal._append(encoded(TRADES))
    assert not list(tmp_path.glob("*.spill"))
    assert journal.size_bytes == 0
    check_full_then_usable(journal, tmp_path, [], limited, resource.RLIM_INFINITY)


@pytest.mark.parametrize("room", [0, 8, HEADER_BYTES + 20])
def test_a_disk_that_is_full_when_a_new_segment_begins_keeps_the_old_ones(
    journal, tmp_path, limited, monkeypatch, room
):
    monkeypatch.setattr(module, "SEGMENT_BYTES", 1_000)
    journal._append(encoded(TRADES))
    assert journal.size_bytes > 1_000
    limited(room)
    with pytest.raises(StorageFullError):
        journal._append(encoded([laned(9)]))
    check_full_then_usable(journal, tmp_path, TRADES, limited, resource.RLIM_INFINITY)


@pytest.fixture
def tiny_disk():
    """A file system of 64 KiB; only root may make one. Not below pytest's own directory: a killed run leaves it mounted."""
    place = Path(tempfile.mkdtemp(prefix="polycopy-test-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]
    try:
        if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no file system may be mounted here")
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)
        place.rmdir()


def test_a_really_full_disk(tiny_disk, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_BYTES", 10_000)
    journal, accepted, refused = opened(tiny_disk), [], 0
    for number in range(300):
        try:
            journal._append(encoded([laned(number)]))
            accepted.append(laned(number))
        except StorageFullError:
            refused += 1
    assert refused > 100
    assert len(accepted) > 20
    assert kept(all_of(journal)) == kept(accepted)
    journal._append(encoded([laned(1)]))
    assert journal.corrupt_records == 0
    assert journal.size_bytes == sum(path.stat().st_size for path in tiny_disk.glob("*.spill"))
    journal.close()
