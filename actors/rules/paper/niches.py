"""How ended orders did by kind of market."""

from collections.abc import Iterable
from decimal import Decimal

from actors.rules.exact import EXACT, MICRO_USD, half_even
from actors.rules.market_kind import niche_of
from protocols.ft_reports import EndedInMarket, NichePnl


def by_niche(markets: Iterable[EndedInMarket]) -> list[NichePnl]:
    """Returns a row for each niche, the one with most orders first."""
    groups: dict[str, list[EndedInMarket]] = {}
    for market in markets:
        groups.setdefault(niche_of(market.title, market.category, market.tags), []).append(market)
    rows = []
    for niche, group in groups.items():
        won, lost = sum(one.won for one in group), sum(one.lost for one in group)
        rows.append(
            NichePnl(
                niche=niche,
                trades=sum(one.trades for one in group),
                won=won,
                lost=lost,
                pnl=sum((one.pnl for one in group), Decimal(0)),
                win_rate=half_even(EXACT.divide(Decimal(won), Decimal(won + lost)), MICRO_USD) if won + lost else None,
            )
        )
    return sorted(rows, key=lambda row: (-row.trades, row.niche))
