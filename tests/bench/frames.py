"""Synthetic frames of the real-time data stream: about 800 bytes, every one a trade of its own."""

import struct
from collections.abc import Iterator
from hashlib import blake2b

import attrs

MARKETS = 64
TARGET = "target"
STRANGER = "stranger"
_TEXT_FRAME = 0x81
_FRAME = (
    '{"connection_id":"bench-IO-NQWeIKEhJwA==","payload":{"asset":"%s","bio":"%s","conditionId":"%s",'
    '"eventSlug":"highest-temperature-in-wellington-on-august-19-2026",'
    '"icon":"https://example.com/w.jpg",'
    '"name":"Bench-%s","outcome":"%s","outcomeIndex":%d,"price":%s,"profileImage":"","proxyWallet":"%s",'
    '"pseudonym":"Rowdy-Tenement","side":"%s","size":%s,"slug":"highest-temperature-in-wellington-2026-%dc",'
    '"timestamp":%d,"title":"Will the highest temperature in Wellington be %d degrees on August 19?",'
    '"transactionHash":"%s"},"timestamp":%d,"topic":"activity","type":"trades"}'
)


def digest(*parts: object) -> str:
    """Returns 64 hex digits that no other parts have."""
    return blake2b("|".join(map(str, parts)).encode(), digest_size=32).hexdigest()


def wallet(kind: str, number: int) -> str:
    """Returns an address as the feed writes it, in mixed case; the engine stores it in lower case."""
    return "0x" + digest("wallet", kind, number)[:40].upper()


def wallets(kind: str, count: int) -> list[str]:
    """Returns addresses in the form in which they are stored."""
    return [wallet(kind, number).lower() for number in range(count)]


@attrs.frozen
class Leg:
    """One outcome of a synthetic market."""

    condition_id: str
    token_id: str
    outcome: str
    outcome_index: int


def _leg(number: int) -> Leg:
    market, index = divmod(number, 2)
    condition_id = "0x" + digest("market", market)
    token_id = str(int(digest("token", number), 16) % 10**76 + 10**76)
    return Leg(condition_id, token_id, ("Yes", "No")[index], index)


LEGS = tuple(_leg(number) for number in range(2 * MARKETS))


@attrs.define(eq=False, kw_only=True)
class FrameMaker:
    """Makes the trades of one kind of wallet; equal arguments make equal frames."""

    label: str
    """Part of every transaction hash, so that two runs on one database never share a trade."""
    kind: str
    wallets: int
    buys: bool = False
    """Every trade buys, at one half: what an order at one and the same book can copy."""
    _addresses: list[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._addresses = [wallet(self.kind, number) for number in range(self.wallets)]

    def frame(self, number: int, *, second: int, note: str = "", transaction: int | None = None) -> bytes:
        """Returns trade `number` as a websocket frame. `note` comes back in the stored row (`raw->>'bio'`)."""
        sells = not self.buys and number % 4 == 0
        # A sale is of what the trade before it bought: else nobody who copied has anything to close.
        of = number - 1 if sells else number
        leg = LEGS[of * 7 % len(LEGS)]
        address = self._addresses[(of if transaction is None else transaction) % self.wallets]
        text = _FRAME % (
            leg.token_id,
            note,
            leg.condition_id,
            address[2:12],
            leg.outcome,
            leg.outcome_index,
            "0.500" if self.buys else f"0.{number % 997 + 1:03d}",
            address,
            "SELL" if sells else "BUY",
            f"{number % 9973 + 1}.{number % 1_000_000:06d}",
            leg.outcome_index,
            second,
            leg.outcome_index,
            "0x" + digest("tx", self.label, self.kind, number if transaction is None else f"t{transaction}"),
            second * 1000 + number % 1000,
        )
        return text_frame(text.encode())


def text_frame(payload: bytes) -> bytes:
    """Returns an unmasked websocket text frame, as a server sends it."""
    length = len(payload)
    if length < 126:
        return bytes((_TEXT_FRAME, length)) + payload
    return struct.pack(">BBH", _TEXT_FRAME, 126, length) + payload


def payloads(frames: bytes) -> Iterator[bytes]:
    """Yields the payloads of unmasked text frames of less than 64 KiB."""
    at = 0
    while at < len(frames):
        length, start = frames[at + 1], at + 2
        if length == 126:
            length, start = int.from_bytes(frames[at + 2 : at + 4]), at + 4
        at = start + length
        yield frames[start:at]
