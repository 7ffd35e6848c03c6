"""Accounts of a venue whose truth is a list of what happened, and which answers badly on command."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence

import attrs
import trio
from property.made_trades import NOON_S, page_row, transaction
from property.supervised import CrashPlan

from protocols.amounts import size_from_micro
from protocols.errors import RejectedError, TransientError
from protocols.trader_accounts import Activity, ActivityKind, ActivityPage, HeldPage, HeldPosition, TokenText
from protocols.venue.data_api import PageRow


@attrs.frozen
class Happening:
    """One thing that an account did: `BUY`, `SELL`, a kind of activity, or `REWARD`, which changes no holding."""

    second: int
    kind: str
    token: str
    micro: int
    number: int = 0
    """Of its transaction."""


def condition_of(token: str) -> str:
    """Tokens 1 and 2 belong to one market, and so on."""
    return f"c{(int(token) - 1) // 2}"


def held(wallet: str, token: str, micro: int, **changes: object) -> HeldPosition:
    made: dict[str, object] = {
        "wallet": wallet, "token_id": token, "condition_id": condition_of(token), "shares_micro": micro,
        "average_price": None, "cost_usd": None, "value_usd": None, "price": None, "realized_usd": None,
        "redeemable": False, "mergeable": False, "negative_risk": False, "last_event_ms": None,
        "text": TokenText(outcome="Yes", title=f"Market of {token}"), "raw": "{}",
    }  # fmt: skip
    return HeldPosition(**(made | changes))  # type: ignore[arg-type]


@attrs.define(eq=False)
class FakeAccounts:
    """`TraderAccounts`. `script` says how the next calls go, in order, then all go well.

    `transient`, `rejected`, `slow`: as they say. `malformed`: a row is not understood, and left out. `skip`: a row of the
    page is left out, as when a list moves.
    """

    happenings: dict[str, list[Happening]] = attrs.field(factory=dict)
    page_rows: int = 100
    script: deque[str] = attrs.field(factory=deque, converter=deque)
    ill: bool = False
    """Every answer is 200 and empty."""
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    calls: Counter[str] = attrs.field(factory=Counter)
    poison: frozenset[str] = frozenset()
    hanging: frozenset[str] = frozenset()
    limited: bool = False
    """Everything is answered 429."""

    def did(self, wallet: str, one: Happening) -> None:
        self.happenings.setdefault(wallet, []).append(one)

    def holding(self, wallet: str) -> dict[str, int]:
        """The independent count."""
        total = Counter[str]()
        for one in self.happenings.get(wallet, ()):
            if one.kind == "BUY":
                total[one.token] += one.micro
            elif one.kind == "SELL":
                total[one.token] -= one.micro
            elif one.kind == "REDEEM":
                for token in [token for token in total if condition_of(token) == condition_of(one.token)]:
                    total[token] = 0
            elif one.kind == "GONE":
                total[one.token] = 0
        return {token: micro for token, micro in total.items() if micro}

    async def held_page(
        self, wallet: str, *, condition_ids: tuple[str, ...] = (), cursor: str | None = None
    ) -> HeldPage:
        assert len(condition_ids) <= 20
        outcome = await self._outcome(wallet, "confirmation" if condition_ids else "positions")
        rows = [
            held(wallet, token, micro)
            for token, micro in sorted(self.holding(wallet).items())
            if not condition_ids or condition_of(token) in condition_ids
        ]
        rows, onward = self._page(rows, cursor, outcome, self.page_rows)
        malformed = Counter(size=1) if outcome == "malformed" else Counter[str]()
        return HeldPage(rows=tuple(rows), malformed=malformed, rows_sent=len(rows), next_cursor=onward)

    async def activity_page(
        self, wallet: str, *, since_s: int, until_s: int, cursor: str | None = None
    ) -> ActivityPage:
        outcome = await self._outcome(wallet, "activity")
        found = [one for one in self.happenings.get(wallet, ()) if since_s <= one.second <= until_s]
        found.sort(key=lambda one: -one.second)
        # A second that is read alone fits into one page at the venue.
        size = 1_000 if since_s == until_s else self.page_rows
        rows, onward = self._page(found, cursor, "ok" if outcome == "skip" else outcome, size)
        return ActivityPage(
            trades=tuple(trade_row(wallet, one) for one in rows if one.kind in ("BUY", "SELL")),
            others=tuple(_others(wallet, rows)),
            malformed=Counter("not_a_trade" for one in rows if one.kind == "REWARD"),
            rows_sent=len(rows),
            next_cursor=onward,
        )

    async def _outcome(self, wallet: str, what: str) -> str:
        await trio.lowlevel.checkpoint()
        self.calls[what] += 1
        if self.plan.due():
            self.plan.crash()
        if self.limited:
            raise TransientError("answered 429")
        if wallet in self.hanging:
            await trio.sleep(30)
        if wallet in self.poison | self.hanging:
            raise TransientError("answered 500")
        outcome = self.script.popleft() if self.script else "ok"
        if outcome == "transient":
            raise TransientError("answered 502")
        if outcome == "rejected":
            raise RejectedError("answered 400")
        if outcome == "slow":
            await trio.sleep(3)
        return outcome

    def _page(self, rows: Sequence, cursor: str | None, outcome: str, size: int) -> tuple[list, str | None]:  # type: ignore[type-arg]
        if self.ill:
            return [], None
        offset = int(cursor or 0)
        end = offset + size
        page = list(rows[offset:end])
        return page[1:] if outcome in ("skip", "malformed") else page, str(end) if end < len(rows) else None


def trade_row(wallet: str, one: Happening) -> PageRow:
    return page_row(
        proxy_wallet=wallet, asset=one.token, condition_id=condition_of(one.token), side=one.kind,
        size=size_from_micro(one.micro), timestamp=one.second, transaction_hash=transaction(one.number or one.second - NOON_S),
    )  # fmt: skip


def _others(wallet: str, rows: Sequence[Happening]) -> Iterator[Activity]:
    for one in rows:
        if one.kind in ActivityKind.__members__:
            yield Activity(
                wallet=wallet, kind=ActivityKind(one.kind), condition_id=condition_of(one.token), shares_micro=one.micro,
                at_ms=one.second * 1000, transaction_hash=transaction(one.number),
            )  # fmt: skip
