import sys
import threading

import pytest
import trio
import trio.testing

from engine.adapters.password_hashing import MEMORY_KIB, PASSES, Argon2Hasher
from protocols.sessions import HashersBusyError

PASSWORD = "four plain words here"


def quick(**options):
    return Argon2Hasher(**{"memory_kib": 256, "passes": 1, **options})


async def test_a_hash_is_of_argon2id_and_of_one_password():
    hasher = Argon2Hasher()
    phc = await hasher.hash(PASSWORD)
    assert phc.startswith(f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1$")
    assert await hasher.verify(phc, PASSWORD)
    assert not await hasher.verify(phc, PASSWORD + " ")
    assert await quick().hash(PASSWORD) != await quick().hash(PASSWORD)
    # At least what OWASP names, and from 32 MiB on the memory goes back to the system.
    assert (MEMORY_KIB >= 32_768, PASSES >= 2) == (True, True)


@pytest.mark.parametrize("phc", [None, "", "x", "$argon2id$", "$argon2id$v=19$m=256,t=1,p=1$x$y", "$2b$12$" + "a" * 53])
async def test_what_is_no_hash_is_nobodys(phc):
    assert not await quick().verify(phc, PASSWORD)
    assert not await quick().verify(phc, "")


async def test_nobodys_hash_has_the_parameters_of_today():
    for hasher in (Argon2Hasher(), quick(), quick(passes=3)):
        assert not hasher.is_outdated(hasher.nobodys_hash())


async def test_a_hash_of_other_parameters_is_outdated():
    phc = await quick().hash(PASSWORD)
    assert not quick().is_outdated(phc)
    assert quick(memory_kib=512).is_outdated(phc)
    assert quick(passes=2).is_outdated(phc)
    assert await quick(memory_kib=512).verify(phc, PASSWORD)


async def test_the_same_letters_are_the_same_password_and_nothing_typed_breaks_it():
    phc = await quick().hash("caf\u00e9 \u212b words")
    assert await quick().verify(phc, "cafe\u0301 \u00c5 words")
    assert not await quick().verify(phc, "\ud800")
    assert not await quick().verify(phc, "a\x00b")


async def test_one_at_a_time_and_very_many_are_refused(monkeypatch):
    hasher = quick(waiting_max=3)
    await hasher.hash(PASSWORD)
    running, most, lock = 0, 0, threading.Lock()
    gate = threading.Event()

    class Slow:
        def hash(self, password):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            gate.wait(10)
            with lock:
                running -= 1
            return "x"

    monkeypatch.setattr(hasher, "_hasher", Slow())
    refused = []

    async def ask():
        try:
            await hasher.hash(PASSWORD)
        except HashersBusyError as error:
            refused.append(error.retry_after_s)

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert len(refused) == 6  # one is hashed, three wait
        gate.set()
    assert (most, hasher.waiting) == (1, 0)
    assert min(refused) > 0


def test_the_library_is_imported_when_somebody_logs_in():
    import subprocess

    code = "import engine.cli.run, engine.lifecycle, engine.cli.users, sys; print('argon2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
