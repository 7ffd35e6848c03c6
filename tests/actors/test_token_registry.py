import logging
import random

import attrs
import pytest
import trio

from actors.token_registry import BOOTSTRAP_ID, TokenRegistry
from config.secrets import Secret
from protocols.errors import TransientError
from protocols.users import Principal, Scope, TokenTable, ValidToken, new_token, token_digest

NOW_MS = 1_800_000_000_000


@attrs.define
class StoppedClock:
    at_ms: int = NOW_MS

    def now_ms(self):
        return self.at_ms


def valid(name, *, user_id="u1", expires_at_ms=None):
    one = Principal(
        user_id=user_id, user_name="ann", token_id=name, scopes=frozenset({Scope.READ}), expires_at_ms=expires_at_ms
    )
    return ValidToken(digest=token_digest(name.encode()), principal=one)


@attrs.define
class MemoryStore:
    tokens: list = attrs.field(factory=list)
    number: int = 1
    admin_id: str | None = "admin-id"
    down: bool = False
    reads: int = 0
    hold: trio.Event | None = None
    reading: trio.Event = attrs.field(factory=trio.Event)

    def change(self, *tokens):
        self.tokens, self.number = list(tokens), self.number + 1

    async def version(self):
        await trio.lowlevel.checkpoint()
        if self.down:
            raise TransientError("down")
        return self.number

    async def valid_tokens(self):
        table = TokenTable(version=await self.version(), tokens=list(self.tokens), admin_id=self.admin_id)
        self.reads += 1
        self.reading.set()
        if self.hold is not None:
            await self.hold.wait()
        return table


def registry(store, **options):
    return TokenRegistry(store=store, clock=options.pop("clock", StoppedClock()), rng=random.Random(1), **options)


def holds(tokens, name):
    return tokens.find(token_digest(name.encode())) is not None


async def test_it_starts_when_it_has_read_and_follows_the_version(nursery, autojump_clock):
    store = MemoryStore([valid("one")], down=True)
    tokens = registry(store)
    with trio.move_on_after(30):
        await nursery.start(tokens.run)
        raise AssertionError("started without a table")
    store.down = False
    await nursery.start(tokens.run)
    assert holds(tokens, "one")
    store.change(valid("two"))
    await trio.sleep(1.1)
    assert (holds(tokens, "one"), holds(tokens, "two")) == (False, True)
    reads = store.reads
    await trio.sleep(60)
    assert store.reads == reads


async def test_the_last_good_table_stays_while_the_database_is_down(nursery, autojump_clock, caplog):
    store = MemoryStore([valid("one")])
    tokens = registry(store)
    await nursery.start(tokens.run)
    store.down = True
    await trio.sleep(600)
    assert holds(tokens, "one")
    assert tokens.failures > 100
    assert len(caplog.records) < 100
    store.change()
    store.down = False
    await trio.sleep(2)
    assert not holds(tokens, "one")


async def test_a_token_ends_by_the_clock():
    clock = StoppedClock()
    tokens = registry(MemoryStore([valid("one", expires_at_ms=NOW_MS + 1)]), clock=clock)
    await tokens.refresh()
    assert holds(tokens, "one")
    clock.at_ms += 1
    assert not holds(tokens, "one")


async def test_a_revoked_token_does_not_come_back_with_a_reading_under_way(nursery):
    store = MemoryStore([valid("one"), valid("two")])
    tokens = registry(store)
    await tokens.refresh()
    store.hold, store.reading = trio.Event(), trio.Event()
    nursery.start_soon(tokens.refresh)
    await store.reading.wait()
    store.change(valid("two"))
    tokens.forget(["one"])
    assert not holds(tokens, "one")
    store.hold.set()
    await trio.testing.wait_all_tasks_blocked()
    assert (holds(tokens, "one"), holds(tokens, "two")) == (False, True)
    await tokens.refresh()
    assert not tokens._revoked


async def test_all_tokens_of_a_user_go_at_once():
    tokens = registry(
        MemoryStore([valid("one"), valid("two"), valid("three", user_id="admin-id")]), bootstrap=Secret("s" * 30)
    )
    await tokens.refresh()
    tokens.forget_user("u1")
    assert [holds(tokens, name) for name in ("one", "two", "three", "s" * 30)] == [False, False, True, True]
    tokens.forget_user("admin-id")
    assert [holds(tokens, name) for name in ("three", "s" * 30)] == [False, True]


async def test_the_bootstrap_token_is_the_administrators(caplog, nursery, autojump_clock):
    caplog.set_level(logging.DEBUG)
    store = MemoryStore()
    tokens = registry(store, bootstrap=Secret("short-secret"))
    assert not holds(tokens, "short-secret")
    await nursery.start(tokens.run)
    found = tokens.find(token_digest(b"short-secret"))
    assert found is not None
    assert (found.user_id, found.user_name, found.token_id, found.scopes) == (
        "admin-id",
        "admin",
        BOOTSTRAP_ID,
        frozenset(Scope),
    )
    assert "short enough to be guessed" in caplog.text
    assert "short-secret" not in caplog.text + repr(tokens)
    store.admin_id = None
    await tokens.refresh()
    assert not holds(tokens, "short-secret")


@pytest.mark.parametrize("bootstrap", [None, Secret("")])
async def test_without_a_bootstrap_token_nothing_is_one(bootstrap):
    tokens = registry(MemoryStore(), bootstrap=bootstrap)
    await tokens.refresh()
    assert not holds(tokens, "")


def test_a_token_is_43_characters_of_chance():
    rng = random.Random(1)
    made = {new_token(rng) for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(
        len(one) == 47 and one.startswith("pcy_") and one[4:].replace("-", "").replace("_", "").isalnum()
        for one in made
    )
    assert len(token_digest(b"")) == 32
