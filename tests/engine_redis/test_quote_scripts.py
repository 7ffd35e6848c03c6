"""The script that settles who fetches what, against the rule in Python, on a clock that stands still."""

import pytest
import trio
from engine_redis.redis_fixtures import redis_server
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.rules.price_sharing import ASKED_MS, CLAIM_MS, ENDED_MS, RIDE_MS, Record, settled
from engine.adapters.redis.connection import open_redis
from engine.adapters.redis.quote_scripts import BOARD, READ_CLOCK
from protocols.shared_quotes import Want

NOW_MS = 1_795_000_000_000
STOPPED = f"""
local now = {NOW_MS}
local function text(number) return string.format('%.0f', number) end
"""
IDS = [f"0x{number:02x}" for number in range(12)]
AGES_MS = st.sampled_from([0, 1, RIDE_MS - 1, RIDE_MS, 1_749, 1_750, 2_000, ENDED_MS - 1, ENDED_MS, 60_000])


@st.composite
def records(draw):
    kind = draw(st.sampled_from(["", "", "", "", "ended", "resolved", "absent"]))
    seen = draw(st.none() | AGES_MS) if kind == "" else draw(AGES_MS)
    claim = draw(st.sampled_from(["", "", "mine", "other"]))
    asked = draw(st.none() | st.sampled_from([0, 1, 300, 1_000, ASKED_MS - 1, ASKED_MS, ASKED_MS + 1]))
    return Record(
        observed_ms=None if seen is None else NOW_MS - seen,
        is_absent=kind == "absent",
        ended=kind == "ended",
        resolved=kind == "resolved",
        hidden=draw(st.booleans()) and kind != "absent",
        asked_ms=None if asked is None else NOW_MS - asked,
        claim=claim,
        claimed_until_ms=NOW_MS + draw(st.sampled_from([-1, 0, 1, 900])) if claim else 0,
    )


WANTS = st.lists(
    st.builds(
        Want,
        condition_id=st.sampled_from(IDS),
        age_max_s=st.sampled_from([0.0, 0.5, 1.75, 30.0]),
        rides=st.sampled_from([False, False, True]),
        hidden=st.sampled_from([False, False, False, True]),
    ),
    max_size=8,
    unique_by=lambda want: want.condition_id,
)


@pytest.fixture(scope="module")
def server():
    with redis_server() as server:
        yield server


async def by_script(office, wants, known, room):
    line = office.connection("test")
    await line.call("FLUSHALL")
    for condition_id, record in known.items():
        kind = next((name for name in ("ended", "resolved") if getattr(record, name)), "")
        fields = {"h": int(record.hidden), "k": "absent" if record.is_absent else kind}
        if record.observed_ms is not None:
            fields |= {"o": record.observed_ms, "v": f"price of {condition_id}"}
        if record.claim:
            fields |= {"c": record.claim, "u": record.claimed_until_ms}
        await line.call("HSET", f"m:{condition_id}", *[part for pair in fields.items() for part in pair])
        if record.asked_ms is not None:
            await line.call("ZADD", "asked", record.asked_ms, condition_id)
    flat = [
        part
        for want in wants
        for part in (want.condition_id, round(want.age_max_s * 1000), "r" if want.rides else "w", int(want.hidden))
    ]
    script = BOARD.text.replace(READ_CLOCK, STOPPED)
    assert script != BOARD.text
    options = ("mine", room, RIDE_MS, CLAIM_MS, ASKED_MS, ENDED_MS, 1_000)
    reply = await line.call("EVAL", script, 2, "asked", "m:", *options, *flat)
    claimed = {
        condition_id
        for condition_id in IDS
        if await line.call("HMGET", f"m:{condition_id}", "c", "u") == [b"mine", str(NOW_MS + CLAIM_MS).encode()]
    }
    line.drop()
    return reply, claimed


def texts(values):
    return [value.decode() for value in values]


@settings(max_examples=300, deadline=None)
@given(known=st.dictionaries(st.sampled_from(IDS), records()), wants=WANTS, room=st.integers(0, 12))
def test_the_script_settles_by_the_rule(server, known, wants, room):
    async def main():
        async with open_redis(server.address) as office:
            return await by_script(office, wants, known, room)

    (now_ms, found, absent, ours, along, along_hidden, theirs), claimed = trio.run(main)
    expected = settled("mine", wants, known, NOW_MS, room=room)
    assert now_ms == NOW_MS
    assert {*texts(found[::3]), *texts(absent)} == set(expected.found)
    assert texts(absent) == [id_ for id_ in expected.found if known[id_].is_absent]
    assert [text.decode() for text in found[2::3]] == [f"price of {id_}" for id_ in texts(found[::3])]
    assert texts(ours) == list(expected.ours)
    assert texts(along) == list(expected.along)
    assert texts(along_hidden) == list(expected.along_hidden)
    assert dict(zip(texts(theirs[::2]), theirs[1::2], strict=True)) == expected.theirs
    assert claimed == {*expected.ours, *expected.along, *expected.along_hidden}
