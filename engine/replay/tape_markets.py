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


@attrs.define(eq=False)
class TapeMarkets(Mapping[str, MarketInput]):
    """`DecisionMarkets`, and what the settler is told: each market as it stands at the time of the clock."""

    clock: WallClock
    _open: dict[str, MarketInput]
    _resolved: dict[str, MarketInput]
    """Of markets whose payouts are known."""
    closings: dict[str, int | None]
    """When those are resolved, epoch ms; None: at the end of the tape."""
    ended: bool = False

    @classmethod
    def of(cls, rows: Sequence[TapeRow], resolutions: Sequence[Resolution], clock: WallClock) -> "TapeMarkets":
        """Returns the markets of rows; a resolution belongs to the market with its condition id, a token or its slug."""
        opened = _markets_of(rows)
        by_token = {token: id_ for id_, market in opened.items() for token in market.token_ids}
        by_slug = {market.slug: id_ for id_, market in opened.items() if market.slug}
        resolved, closings = dict[str, MarketInput](), dict[str, int | None]()
        for one in resolutions:
            tokens = one.payouts or (one.market.token_ids if one.market else ())
            ids = [one.condition_id, *(by_token.get(token) for token in tokens), by_slug.get(one.slug or "")]
            id_ = next((id_ for id_ in ids if id_ in opened), None)
            if id_ is None:
                continue
            opened[id_] = _known_before(opened[id_], one.market)
            if one.payouts:
                resolved[id_], closings[id_] = _paid(opened[id_], one.payouts), one.closed_ms
        return cls(clock, opened, resolved, closings)

    def __getitem__(self, condition_id: str) -> MarketInput:
        market = self._open[condition_id]
        now_ms = self.clock.now_ms()
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


def _markets_of(rows: Sequence[TapeRow]) -> dict[str, MarketInput]:
    firsts, tokens = dict[str, TapeRow](), dict[str, dict[str, tuple[int, str]]]()
    for row in rows:
        id_ = canonical_condition_id(row.condition_id)
        firsts.setdefault(id_, row)
        index = row.fields.get("outcomeIndex")
        place = index if isinstance(index, int) and 0 <= index < 999 else 999
        tokens.setdefault(id_, {}).setdefault(row.token_id, (place, row.text("outcome")))
    return {id_: _market(id_, row, tokens[id_]) for id_, row in firsts.items()}


def _market(condition_id: str, row: TapeRow, tokens: dict[str, tuple[int, str]]) -> MarketInput:
    ordered = sorted(tokens, key=lambda token: (tokens[token][0], token))
    market = MarketInput(
        condition_id=condition_id,
        title=row.text("title") or None,
        slug=row.text("slug") or None,
        event_slug=row.text("eventSlug") or None,
        outcomes=tuple(tokens[token][1] for token in ordered),
        token_ids=tuple(ordered),
    )
    return with_kind(market)


def _known_before(ours: MarketInput, said: MarketInput | None) -> MarketInput:
    """What was known of a market while it was open: nothing of its end."""
    if said is None:
        return ours
    tokens = said.token_ids if set(ours.token_ids) <= set(said.token_ids) else ours.token_ids
    return with_kind(
        msgspec.structs.replace(
            said,
            condition_id=ours.condition_id,
            title=said.title or ours.title,
            slug=said.slug or ours.slug,
            outcomes=said.outcomes if tokens is said.token_ids else ours.outcomes,
            token_ids=tokens,
            closed=False,
            resolved=False,
            outcome_prices=None,
        )
    )


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
