"""The feed's store in memory: trades that appear, follows that change, failures on command."""

import re
from collections.abc import Sequence
from decimal import Decimal

import attrs
import trio
from property.made_trades import wallet

from protocols.errors import TransientError
from protocols.feed import FeedBatch, FeedRow

_EVENT = re.compile(rb"id: (\d+)\ndata: ")


def feed_row(seq: int, wallet_number: int, title: str | None = None) -> FeedRow:
    return FeedRow(
        trade_id=f"{seq}-0", trader_wallet=wallet(wallet_number), trader_name=None, trader_image=None, transaction_hash="0x1",
        asset="7", condition_id="0x2", side="BUY", price=Decimal("0.688999999893586712"), size=Decimal("2.7"), timestamp=1,
        outcome=None, title=title, slug=None, event_slug=None, outcome_prices=None, image=None,
    )  # fmt: skip


@attrs.define(eq=False, slots=False)
class FakeFeed:
    rows: list[tuple[int, FeedRow]] = attrs.field(factory=list)
    follows: dict[str, frozenset[int]] = attrs.field(factory=dict)
    version: int = 1
    is_down: bool = False
    last: int = 0
    calls: int = 0
    of_user_calls: int = 0
    follow_calls: list[list[str]] = attrs.field(factory=list)
    latency_s: float = 0.001

    def commit(self, *wallet_numbers: int, hole: int = 0, title: str | None = None) -> None:
        """Stores one trade of each; `hole` numbers were used up by statements that were rolled back."""
        self.last += hole
        for number in wallet_numbers:
            self.last += 1
            self.rows.append((self.last, feed_row(self.last, number, title)))

    def follow(self, user_id: str, *wallet_numbers: int) -> None:
        self.follows[user_id] = frozenset(wallet_numbers)
        self.version += 1

    def seqs(self, user_id: str, after: int = 0) -> list[int]:
        """What a user's stream has to bring."""
        wallets = self._wallets(user_id)
        return [seq for seq, row in self.rows if seq > after and row.trader_wallet in wallets]

    async def newest_seq(self) -> int:
        await self._answer()
        return self._newest()

    async def committed_after(self, seq: int, rows_max: int) -> FeedBatch:
        self.calls += 1
        await self._answer()
        looked_at = [one for one in self.rows if one[0] > seq][:rows_max]
        followed = {wallet(number) for numbers in self.follows.values() for number in numbers}
        return FeedBatch(
            rows=[one for one in looked_at if one[1].trader_wallet in followed],
            read_to=looked_at[-1][0] if looked_at else seq,
            newest=self._newest(),
            follows_version=self.version,
        )

    async def of_user(self, user_id: str, *, after: int, until: int, rows_max: int) -> Sequence[tuple[int, FeedRow]]:
        self.of_user_calls += 1
        await self._answer()
        wallets = self._wallets(user_id)
        return [one for one in self.rows if after < one[0] <= until and one[1].trader_wallet in wallets][:rows_max]

    async def changed_follows(self, known):
        self.follow_calls.append(sorted(known))
        await self._answer()
        found = {user_id: (str(sorted(self.follows.get(user_id, ()))), self._wallets(user_id)) for user_id in known}
        return {user_id: value for user_id, value in found.items() if value[0] != known[user_id]}

    def _wallets(self, user_id: str) -> list[str]:
        return [wallet(number) for number in self.follows.get(user_id, ())]

    def _newest(self) -> int:
        return self.rows[-1][0] if self.rows else 0

    async def _answer(self) -> None:
        await trio.sleep(self.latency_s)
        if self.is_down:
            raise TransientError("the database is away")


def event_ids(chunk: bytes) -> list[int]:
    """The trades in a chunk; nothing for an opening, a keep-alive and a resync."""
    return [int(found) for found in _EVENT.findall(chunk)]
