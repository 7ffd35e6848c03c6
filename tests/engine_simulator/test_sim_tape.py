import gzip
import json
from collections import Counter
from decimal import Decimal

import pytest
from simulator_clients import (
    NAMED_TAPE,
    PLATFORM_TAPE,
    SESSION_TAPE,
    TRADES,
    SetClock,
    needs_recordings,
    running,
)

from engine.simulator.market import MarketDirectory
from engine.simulator.tape import Tape, TapeError, read_recording

NOW_MS = 1_795_000_000_000


def written(path, rows, *, tail=""):
    text = "".join(json.dumps(row) + "\n" for row in rows) + tail
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def tape_row(**changed):
    return {
        "proxyWallet": "0x" + "AB" * 20,
        "side": "BUY",
        "asset": "111",
        "conditionId": "0x" + "1" * 64,
        "size": 2.5,
        "price": "0.6889999998935867",
        "timestamp": 1_777_605_628,
        "transactionHash": "0x" + "a" * 64,
        "outcome": "Over",
        "title": "A title",
        "slug": "a-slug",
    } | changed


def lines_of(path):
    with gzip.open(path, "rt") as file:
        return [json.loads(line, parse_float=Decimal) for line in file]


def blocks_of(tape):
    blocks = []
    while (block := tape.next_block()) is not None:
        blocks.append(block)
    return blocks


def shown(blocks):
    return [
        (block.offset_s, match.transaction_hash, fill.wallet, fill.side, fill.size_micro, fill.price, fill.is_taker)
        for block in blocks
        for match in block.matches
        for fill in match.fills
    ]


@pytest.mark.parametrize("name", ["tape.jsonl", "tape.jsonl.gz"])
def test_a_torn_last_line_is_counted_and_the_rest_played(tmp_path, name):
    path = written(tmp_path / name, [tape_row(), tape_row(transactionHash="0x2")], tail='{"proxyWallet": "0x')
    recording = read_recording(path)
    assert len(recording.rows) == 2
    assert recording.skipped_lines == 1


def test_a_torn_archive_is_read_as_far_as_it_goes(tmp_path):
    path = written(
        tmp_path / "tape.jsonl.gz", [tape_row(transactionHash=f"0x{n:064x}", size=n + 1) for n in range(5000)]
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    recording = read_recording(path)
    assert 100 < len(recording.rows) < 5000
    assert recording.skipped_lines >= 1


@pytest.mark.parametrize("text", ["", "nonsense\n", '{"type": "REWARD", "asset": ""}\n'])
def test_a_tape_without_trades_is_refused(tmp_path, text):
    path = tmp_path / "tape.jsonl"
    path.write_text(text)
    with pytest.raises(TapeError, match="no trade rows"):
        read_recording(path)


def test_a_missing_tape_is_refused(tmp_path):
    with pytest.raises(TapeError):
        read_recording(tmp_path / "none.jsonl")


def test_prices_keep_every_digit_and_missing_columns_are_filled_in(tmp_path):
    path = written(tmp_path / "tape.jsonl", [tape_row()])
    markets = MarketDirectory()
    (block,) = blocks_of(Tape(read_recording(path), markets, seed=1, now_ms=NOW_MS))
    taker, *makers = block.matches[0].fills
    assert taker.price == Decimal("0.6889999998935867")
    assert taker.size_micro == 2_500_000
    assert taker.market.outcomes == ("Over", "Under")
    assert taker.market.event_slug == "a-slug"
    assert len(set(taker.market.token_ids)) == 2
    assert markets.with_token(taker.market.token_ids[1]) is taker.market
    assert makers
    assert all(maker.wallet != taker.wallet for maker in makers)


async def test_names_that_utf8_cannot_hold_cost_no_row(tmp_path):
    path = tmp_path / "tape.jsonl"
    good = json.dumps(tape_row(name="nul \x00, lone \ud800", title="\udfff"))
    path.write_bytes(good.encode() + b"\n" + good.encode().replace(b"Over", b"\xff\xfe") + b"\n")
    async with running(tape=path, speed=None) as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.control("/play")
        frames = await client.rows(2)
        assert frames[0]["payload"]["name"] == "nul \x00, lone ?"
        assert (await venue.gamma("/markets")).json()[0]["question"] == "?"


def test_makers_take_exactly_the_other_side(tmp_path):
    rows = [tape_row(transactionHash=f"0x{number:064x}", size=number) for number in range(1, 200)]
    path = written(tmp_path / "tape.jsonl", rows)
    (block,) = blocks_of(Tape(read_recording(path), MarketDirectory(), seed=1, now_ms=NOW_MS))
    kinds = Counter()
    for match in block.matches:
        taker, *makers = match.fills
        assert sum(maker.size_micro for maker in makers) == taker.size_micro
        for maker in makers:
            crosses = maker.outcome_index != taker.outcome_index
            assert maker.side == (taker.side if crosses else "SELL")
            assert maker.price == (1 - taker.price if crosses else taker.price)
            kinds[crosses] += 1
    assert kinds[True] > kinds[False] > 20


@needs_recordings
def test_the_same_tape_and_seed_give_the_same_rows():
    recording = read_recording(PLATFORM_TAPE)

    def play(seed):
        return shown(blocks_of(Tape(recording, MarketDirectory(), seed=seed, now_ms=NOW_MS)))

    first = play(1)
    assert first == play(1)
    assert first != play(2)
    assert [each for each in first if each[-1]] == [each for each in play(2) if each[-1]]


@needs_recordings
def test_every_recorded_row_is_played_and_invented_wallets_do_not_occur_in_the_tape():
    for path in (PLATFORM_TAPE, NAMED_TAPE, SESSION_TAPE):
        lines = lines_of(path)
        wallets = {line["proxyWallet"].lower() for line in lines}
        fills = [fill for block in blocks_of(Tape(read_recording(path), MarketDirectory(), seed=1, now_ms=NOW_MS))
                 for match in block.matches for fill in match.fills]  # fmt: skip
        own = [fill for fill in fills if fill.wallet in wallets]
        expected = Counter(
            (line["proxyWallet"].lower(), int(Decimal(line["size"]) * 10**6), line["side"]) for line in lines
        )
        assert Counter((fill.wallet, fill.size_micro, fill.side) for fill in own) == expected
        assert all(not fill.is_taker for fill in fills if fill.wallet not in wallets)


@needs_recordings
async def test_the_ledger_counts_what_an_independent_reader_counts():
    lines = lines_of(SESSION_TAPE)
    expected = Counter(
        (
            line["transactionHash"],
            line["proxyWallet"].lower(),
            line["asset"],
            line["side"],
            int(Decimal(line["size"]) * 10**6),
        )
        for line in lines
    )
    wallets = sorted({line["proxyWallet"].lower() for line in lines})
    async with running(tape=SESSION_TAPE, speed=None, keep_time=True) as venue:
        await venue.control("/play")
        await venue.until(lambda state: state["finished"])
        truth = (await venue.control("/ledger", {"wallets": wallets}))["fills"]
        names = ("transaction_hash", "wallet", "token_id", "side", "size_micro")
        assert {tuple(fill[name] for name in names): fill["count"] for fill in truth} == dict(expected)
        assert max(expected.values()) == 2
        assert {fill["timestamp"] for fill in truth} == {line["timestamp"] for line in lines}
        early = (await venue.control("/ledger", {"wallets": wallets, "until": lines[0]["timestamp"]}))["fills"]
        late = (await venue.control("/ledger", {"wallets": wallets, "since": lines[0]["timestamp"] + 1}))["fills"]
        assert len(early) + len(late) == len(truth)
        assert early
        assert late


@needs_recordings
async def test_a_whole_tape_reaches_the_stream_and_the_data_api():
    async with running(tape=NAMED_TAPE, speed=None) as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.control("/play")
        state = await venue.until(lambda state: state["finished"])
        frames = await client.rows(state["rows_emitted"]["trades"])
        assert state["rows_emitted"]["orders_matched"] == 1000
        assert state["tape"]["source"]["position"] == 1000
        truth = (await venue.control("/ledger", {"wallets": None}))["fills"]
        assert sum(fill["count"] for fill in truth) == len(frames) == state["fills"]["total"]
        taker = frames[0]["payload"]["proxyWallet"].lower()
        rows = (await venue.data("/v2/trades", user=taker, taker_only="false", limit=1000)).json()["data"]
        assert len(rows) == sum(frame["payload"]["proxyWallet"].lower() == taker for frame in frames)


@needs_recordings
async def test_times_are_shifted_to_now_and_scaled():
    clock = SetClock()
    async with running(clock, tape=SESSION_TAPE, speed=None) as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.control("/play")
        frames = await client.rows(120)
        assert {frame["payload"]["timestamp"] for frame in frames} <= {1_794_999_999, 1_795_000_000}
        market = (await venue.gamma("/markets?limit=1")).json()[0]
        assert market["endDate"] > "2026-12-01"


async def test_speed_scales_the_distance_between_seconds(autojump_clock):
    import trio

    from engine.simulator.matches import Block
    from engine.simulator.player import Player

    class Source:
        def __init__(self):
            self.offsets = [0.0, 10.0, 20.0]

        def next_block(self):
            return Block(offset_s=self.offsets.pop(0)) if self.offsets else None

        def describe(self):
            return {}

    played = []

    async def room():
        await trio.lowlevel.checkpoint()

    player = Player(lambda block: played.append((trio.current_time() - began, block.offset_s)), room)
    player.load(Source(), speed=5.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(player.run)
        began = trio.current_time()
        player.start()
        await trio.sleep(1)
        player.pause()
        await trio.sleep(7)
        player.start()
        await player.wait_finished()
        nursery.cancel_scope.cancel()
    assert [offset for _, offset in played] == [0.0, 10.0, 20.0]
    assert [at for at, _ in played] == pytest.approx([0, 9, 11])
