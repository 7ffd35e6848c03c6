"""Markets as a tape shows them, resolved when its clock has come so far and never before."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec

from actors.rules.decision_market import with_kind
from engine.replay.lines import Line, json_lines
from engine.simulator.tape import TapeRow
from protocols.amounts import decimal_from
from protocols.clock import WallClock
from protocols.decisions import MarketInput
from protocols.errors import MalformedError, RejectedError
from protocols.timestamps import epoch_ms
from protocols.trades import canonical_condition_id
from protocols.venue.gamma import market_from
from protocols.venue.market_input import market_input


@attrs.frozen(kw_only=True)
class Resolution:
    """What a line of the file of resolutions says of one market."""

    condition_id: str | None
    slug: str | None
    payouts: Mapping[str, Decimal]
    """USD a share by token; empty while the market is not resolved."""
    closed_ms: int | None
    market: MarketInput | None
    """What Gamma says of it besides."""


def read_resolutions(path: Path) -> list[Resolution]:
    """Returns the resolutions of a file of JSON lines. Raises `RejectedError` naming every line that makes no sense."""
    found, problems = [], []
    for line in json_lines(path):
        try:
            found.append(_resolution(line))
        except MalformedError as error:
            problems.append(f"line {line.number}: {error}")
    if problems:
        raise RejectedError(f"{path}: " + "; ".join(problems[:20]))
    return found


def _resolution(line: Line) -> Resolution:
    fields = line.fields
    if isinstance(raw := fields.get("raw"), dict):
        fields = raw
    closed_ms = None if fields.get("closedTime") is None else epoch_ms(fields["closedTime"])
    if isinstance(payouts := fields.get("payouts"), dict):
        condition_id, slug = fields.get("conditionId"), fields.get("slug")
        if not isinstance(condition_id or slug, str):
            raise MalformedError("market", "neither conditionId nor slug")
        paid = {str(token): decimal_from(value, "payout") for token, value in payouts.items()}
        if not paid or any(not 0 <= value <= 1 for value in paid.values()):
            raise MalformedError("payouts", "each has to be 0 to 1 USD a share")
        id_ = canonical_condition_id(condition_id) if isinstance(condition_id, str) else None
        return Resolution(condition_id=id_, slug=slug, payouts=paid, closed_ms=closed_ms, market=None)
    market = market_from(fields)
    seen = market_input(market, 0)
    payouts_ = dict(zip(seen.token_ids, seen.outcome_prices or (), strict=True)) if seen.resolved else {}
    return Resolution(
        condition_id=market.condition_id, slug=market.slug, payouts=payouts_, closed_ms=market.close_ms, market=seen
    )


_OPPOSITES = {"yes": "No", "no": "Yes", "over": "Under", "under": "Over"}


@attrs.frozen
class _Token:
    """A token of a market as the tape has it."""

    seen_ms: int
    """Its first trade."""
    place: int
    """Index of its outcome; 999 where the tape does not say."""
    token_id: str
    outcome: str


@attrs.define(eq=False)
class _Open:
    """A market while it is open: what is said of it, and the tokens that have been traded so far."""

    first: TapeRow
    tokens: list[_Token] = attrs.field(factory=list)
    """In the order in which they were seen."""
    said: MarketInput | None = None
    """What a file or the database says of it besides."""
    _known: dict[int, MarketInput] = attrs.field(init=False, factory=dict)
    """By number of tokens."""

    def at(self, now_ms: int) -> MarketInput:
        """Returns the market without what is traded later."""
        count = sum(token.seen_ms <= now_ms for token in self.tokens)
        if count not in self._known:
            self._known[count] = self._known_before(self.tokens[:count])
        return self._known[count]

    def whole(self) -> MarketInput:
        """Returns the market with every token that is known of it, for when it ends."""
        market = self._known_before(self.tokens)
        ordered = sorted(self.tokens, key=lambda token: (token.place, token.token_id))
        return (
            market
            if market.token_ids
            else msgspec.structs.replace(
                market,
                outcomes=tuple(token.outcome for token in ordered),
                token_ids=tuple(token.token_id for token in ordered),
            )
        )

    def _known_before(self, tokens: Sequence[_Token]) -> MarketInput:
        """What was known of a market while it was open: nothing of its end.

        Where only the tape tells of it, tokens that it has not named yet are no strangers: then it names none.
        """
        first, said = self.first, self.said or MarketInput(condition_id="")
        is_whole = bool(said.token_ids) and {token.token_id for token in tokens} <= set(said.token_ids)
        market = with_kind(
            msgspec.structs.replace(
                said,
                condition_id=canonical_condition_id(first.condition_id),
                title=said.title or first.text("title") or None,
                slug=said.slug or first.text("slug") or None,
                event_slug=said.event_slug or first.text("eventSlug") or None,
                outcomes=said.outcomes if is_whole else _both([token.outcome for token in tokens]),
                token_ids=said.token_ids if is_whole else (),
                closed=False,
                resolved=False,
                outcome_prices=None,
            )
        )
        return market if is_whole else msgspec.structs.replace(market, outcomes=())


def _both(outcomes: Sequence[str]) -> tuple[str, ...]:
    """Returns outcomes with the one that belongs to the only one: a market with Yes has No, too."""
    other = _OPPOSITES.get(outcomes[0].strip().lower()) if len(outcomes) == 1 else None
    return (*outcomes, other) if other else tuple(outcomes)


@attrs.define(eq=False)
class TapeMarkets(Mapping[str, MarketInput]):
    """`DecisionMarkets`, and what the settler is told: each market as it stands at the time of the clock."""

    clock: WallClock
    _open: dict[str, _Open]
    _resolved: dict[str, MarketInput]
    """Of markets whose payouts are known."""
    closings: dict[str, int | None]
    """When those are resolved, epoch ms; None: at the end of the tape."""
    ended: bool = False

    @classmethod
    def of(cls, rows: Sequence[TapeRow], resolutions: Sequence[Resolution], clock: WallClock) -> "TapeMarkets":
        """Returns the markets of rows; a resolution belongs to the market with its condition id, a token or its slug."""
        opened = _markets_of(rows)
        by_token = {token.token_id: id_ for id_, market in opened.items() for token in market.tokens}
        by_slug = {slug: id_ for id_, market in opened.items() if (slug := market.first.text("slug"))}
        resolved, closings = dict[str, MarketInput](), dict[str, int | None]()
        for one in resolutions:
            tokens = one.payouts or (one.market.token_ids if one.market else ())
            ids = [one.condition_id, *(by_token.get(token) for token in tokens), by_slug.get(one.slug or "")]
            id_ = next((id_ for id_ in ids if id_ in opened), None)
            if id_ is None:
                continue
            opened[id_].said = one.market or opened[id_].said
            if one.payouts:
                resolved[id_], closings[id_] = _paid(opened[id_].whole(), one.payouts), one.closed_ms
        return cls(clock, opened, resolved, closings)

    def __getitem__(self, condition_id: str) -> MarketInput:
        opened, now_ms = self._open[condition_id], self.clock.now_ms()
        market = opened.at(now_ms)
        if condition_id in self._resolved:
            closed_ms = self.closings[condition_id]
            if self.ended or (closed_ms is not None and closed_ms <= now_ms):
                market = self._resolved[condition_id]
        return msgspec.structs.replace(market, observed_ms=now_ms)

    def __iter__(self) -> Iterator[str]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)

    async def find(self, condition_ids: Sequence[str]) -> Mapping[str, MarketInput]:
        """Returns the markets among the ids as they stand now."""
        return {id_: self[id_] for id_ in condition_ids if id_ in self._open}


def _markets_of(rows: Sequence[TapeRow]) -> dict[str, _Open]:
    found, known = dict[str, _Open](), set[tuple[str, str]]()
    for row in rows:
        id_ = canonical_condition_id(row.condition_id)
        market = found.get(id_)
        if market is None:
            market = found[id_] = _Open(row)
        if (id_, row.token_id) not in known:
            known.add((id_, row.token_id))
            index = row.fields.get("outcomeIndex")
            place = index if isinstance(index, int) and 0 <= index < 999 else 999
            market.tokens.append(_Token(row.timestamp_s * 1000, place, row.token_id, row.text("outcome")))
    return found


def _paid(market: MarketInput, payouts: Mapping[str, Decimal]) -> MarketInput:
    if sum(payouts.values()) == 1:
        # Whoever is not named gets nothing.
        payouts = {token: Decimal(0) for token in market.token_ids} | dict(payouts)
    tokens = tuple(payouts)
    labels: dict[str, Any] = dict(zip(market.token_ids, market.outcomes, strict=True))
    return msgspec.structs.replace(
        market,
        closed=True,
        resolved=True,
        token_ids=tokens,
        outcomes=tuple(labels.get(token, "") for token in tokens),
        outcome_prices=tuple(payouts.values()),
    )
