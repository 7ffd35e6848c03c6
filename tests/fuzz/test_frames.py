"""Mutated frames through everything that reads them: nothing but `MalformedError` may come out."""

import json
import time
from collections import Counter

import pytest

from actors.rules.admission import Memory, admit
from actors.rules.recent_set import RecentSet
from protocols.clock import Random
from protocols.errors import MalformedError, TransientError
from protocols.trades import Lane, RawTrade
from protocols.venue.data_api import decode_trades_v1, decode_trades_v2
from protocols.venue.gamma import decode_markets
from protocols.venue.rtds import TradeFrame, decode_frame

WALLET = "0x" + "ab" * 20
PAYLOAD = {
    "asset": "7" * 77, "bio": "", "conditionId": "0x" + "1d" * 32, "eventSlug": "e", "icon": "https://x", "name": "Zoë 🎲",
    "outcome": "No", "outcomeIndex": 1, "price": 0.6889999998935867, "profileImage": "", "proxyWallet": WALLET,
    "pseudonym": "Rowdy", "side": "BUY", "size": 2.7027, "slug": "s", "timestamp": 1787102287, "title": "T \\u00e9",
    "transactionHash": "0x" + "b6" * 32, "fee": 0.1,
}  # fmt: skip
ENVELOPE = {
    "connection_id": "x=",
    "payload": PAYLOAD,
    "timestamp": 1787102287053,
    "topic": "activity",
    "type": "trades",
}
NASTY = (
    "", "PONG", "null", "[]", "0", '""', "{}", "NaN", "[" * 100_000, '{"a":' * 50_000, "\x00", "\ud800", '"\\ud800"',
    '{"payload":{}}', '{"topic":"activity","type":"trades","payload":[]}', '{"topic":"activity","type":"trades"}',
    "{" + '"x":1,' * 10_000 + '"y":2}', '{"statusCode":401,"body":{"message":"no"}}', "9" * 5_000, "1e999", "-" * 1000,
    '{"topic":"activity","type":"trades","payload":' + "9" * 4_500 + "}",
)  # fmt: skip
VALUES = (
    "NaN", "1e999", "-1", "null", "[]", "{}", '"\\u0000"', '"\\ud800"', "true", '"999999999999999999999999"', "0", '""',
    '"Infinity"', "1" * 400, "0.00000000000000000000000001", '"2026-07-24 12:10:52+00"', "12345678901234567890123",
    "1e9999999", "1e-9999999",
)  # fmt: skip


def mutated(rng: Random, text: str) -> str | bytes:
    choice = rng.randrange(8)
    position = rng.randrange(len(text))
    if choice == 0:
        return text[:position]
    if choice == 1:
        return (
            text[:position]
            + chr(rng.choice((0, 1, 34, 92, 123, 125, 0xD800, 0x1F3B2, rng.randrange(0x110000))))
            + text[position:]
        )
    if choice == 2:
        return text[:position] + text[position + rng.randrange(1, 30) :]
    if choice == 3:
        key = rng.choice(list(PAYLOAD))
        payload = {**PAYLOAD, key: "@@"}
        return json.dumps({**ENVELOPE, "payload": payload}).replace('"@@"', rng.choice(VALUES))
    if choice == 4:
        data = bytearray(text.encode())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(data)
    if choice == 5:
        return text[:position] + rng.choice(VALUES) + text[position + rng.randrange(12) :]
    if choice == 6:
        payload = {key: value for key, value in PAYLOAD.items() if rng.random() < 0.8}
        return json.dumps({**ENVELOPE, "payload": payload})
    return rng.choice(NASTY)


def read(frame: str | bytes, memory: Memory, results: Counter[str]) -> None:
    try:
        decoded = decode_frame(frame)
    except MalformedError as error:
        results[error.reason] += 1
        return
    if not isinstance(decoded, TradeFrame) or decoded.payload is None:
        results["not a trade"] += 1
        return
    raw = RawTrade(row=decoded.payload, scope="fuzz", text=frame, seen_s=0.0)
    lanes = {decoded.payload.proxy_wallet.lower(): Lane.TARGET}
    admission = admit([raw], lanes, memory)
    memory.commit(admission)
    for laned in admission.kept:
        # Whatever is kept can be stored: text as UTF-8 without NUL, `raw` as JSON.
        for value in (
            laned.trade.raw,
            laned.trade.market_title or "",
            laned.trade.trader_name or "",
            laned.trade.condition_id,
        ):
            assert "\x00" not in value.encode().decode()
        loaded = json.loads(laned.trade.raw)
        assert "\\u0000" not in json.dumps(loaded)
    results["kept" if admission.kept else "refused"] += 1


def fuzz(count: int, seed: int) -> Counter[str]:
    rng = Random(seed)
    memory = Memory(RecentSet(1_000))
    results: Counter[str] = Counter()
    text = json.dumps(ENVELOPE)
    for nasty in NASTY:
        read(nasty, memory, results)
    for _ in range(count):
        read(mutated(rng, text), memory, results)
    return results


def test_no_frame_raises_anything_but_malformed():
    results = fuzz(20_000, seed=1)
    assert results["kept"] > 100
    assert len(results) > 8


@pytest.mark.parametrize("decode", [decode_trades_v1, decode_trades_v2, decode_markets])
def test_no_page_raises_anything_but_weather(decode):
    rng = Random(2)
    rows = {
        decode_trades_v1: [PAYLOAD],
        decode_trades_v2: {"data": [PAYLOAD]},
        decode_markets: [{"conditionId": "0x1"}],
    }
    text = json.dumps(rows[decode])
    for _ in range(3_000):
        frame = mutated(rng, text)
        data = frame if isinstance(frame, bytes) else frame.encode(errors="surrogatepass")
        try:
            decode(data)
        except TransientError:
            continue


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_million_frames(capsys):
    began_s = time.perf_counter()
    results = fuzz(1_000_000, seed=3)
    rate = 1_000_000 / (time.perf_counter() - began_s)
    with capsys.disabled():
        print(f"\n1,000,000 mutated frames, {rate:,.0f}/s with their mutation: {dict(results.most_common(12))}")
