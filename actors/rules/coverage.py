"""Compares the venue's history of one wallet with what the database has (D86).

Neither history is complete and pages may cut a transaction, but no response ever shows a fill that was not: an id that any
response yields is a trade. So what was to be had is the union over all responses, and nothing is missed that is not.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import attrs

from actors.rules.admission import Memory, admit
from actors.rules.recent_set import RecentSet
from config.coverage import CoverageConfig
from protocols.coverage import BOTH, CoverageCounts, HistoryApi, Miss
from protocols.errors import MalformedError
from protocols.trade_identity import fill_key
from protocols.trades import Lane, RawTrade, TradeSource
from protocols.venue.data_api import PageRow

_BROUGHT = {
    TradeSource.STREAM.value: "by_stream",
    TradeSource.GAP.value: "by_gap",
    TradeSource.POLLER.value: "by_poller",
    TradeSource.AUDIT.value: "missed",
}


@attrs.frozen(kw_only=True)
class Identified:
    """The trades of a wallet in one response, by id, with their times; `malformed` rows are none."""

    trade_ms: Mapping[str, int]
    malformed: int


@attrs.frozen(kw_only=True)
class Window:
    """Seconds of trade time, both included."""

    since_s: int
    until_s: int
    skipped_s: int = 0
    """Before it: too long ago to be read."""


def window_of(audited_until_s: int, now_s: int, config: CoverageConfig) -> Window | None:
    """Returns what is to be compared next, or None while it is too short or too young."""
    until_s = now_s - round(config.settle_s)
    wanted_s = audited_until_s + 1
    since_s = max(wanted_s, now_s - round(config.lookback_s))
    if until_s - audited_until_s < config.window_min_s or until_s < since_s:
        return None
    return Window(since_s=since_s, until_s=until_s, skipped_s=since_s - wanted_s)


def identified(rows: Sequence[PageRow], wallet: str) -> Identified:
    """Returns the ids that the ingest would give to the rows of one response; rows of others are left out."""
    own = [RawTrade(item.row, "", item.text, 0.0) for item in rows if item.row.proxy_wallet.lower() == wallet]
    admission = admit(own, {wallet: Lane.TARGET}, Memory(RecentSet(1)))
    times = {laned.trade.trade_id: laned.trade.trade_ms for laned in admission.kept}
    return Identified(trade_ms=times, malformed=admission.malformed.total())


def rows_of_trades(rows: Sequence[PageRow], wallet: str, trade_ids: Collection[str]) -> list[PageRow]:
    """Returns the rows of a response that equal one of these trades, all of them: equal fills are told apart by counting."""
    keys = {trade_id.rpartition("-")[0] for trade_id in trade_ids}
    return [item for item in rows if _key_of(item, wallet) in keys]


def _key_of(item: PageRow, wallet: str) -> str | None:
    if item.row.proxy_wallet.lower() != wallet:
        return None
    try:
        return fill_key(item.row, wallet)
    except MalformedError:
        return None


@attrs.define(eq=False, kw_only=True)
class Comparison:
    """One window of one wallet, as far as it has been read."""

    wallet: str
    malformed: int = 0
    _apis: dict[str, str] = attrs.field(init=False, factory=dict)
    """By trade id: a `HistoryApi`, or `BOTH`."""
    _held: dict[str, str | None] = attrs.field(init=False, factory=dict)
    """Who brought a trade that the database has."""
    _missing: set[str] = attrs.field(init=False, factory=set)

    def add(self, api: HistoryApi, found: Identified) -> list[str]:
        """Takes a response, and returns the ids that nobody has looked for yet."""
        self.malformed += found.malformed
        unknown = [trade_id for trade_id in found.trade_ms if trade_id not in self._apis]
        for trade_id in found.trade_ms:
            known = self._apis.setdefault(trade_id, api.value)
            if known != api.value:
                self._apis[trade_id] = BOTH
        return unknown

    def looked_up(self, asked: Iterable[str], held: Mapping[str, str | None]) -> set[str]:
        """Takes what the database says of some ids, and returns those it has not."""
        self._held.update(held)
        missing = set(asked) - held.keys()
        self._missing |= missing
        return missing

    def misses(self, found: Identified) -> list[Miss]:
        """Returns the trades of a response that are missing, with the histories that are known to have them."""
        return [
            Miss(trade_id=trade_id, wallet=self.wallet, source=self._apis[trade_id], trade_ms=trade_ms)
            for trade_id, trade_ms in found.trade_ms.items()
            if trade_id in self._missing
        ]

    def counts(self, ours: Iterable[str]) -> CoverageCounts:
        """Returns the counts of the window; `ours` are ids of our trades well within it."""
        brought = Counter(_BROUGHT.get(source or "", "by_unknown") for source in self._held.values())
        brought["missed"] += len(self._missing)
        return CoverageCounts(
            expected=len(self._apis),
            unconfirmed=sum(trade_id not in self._apis for trade_id in ours),
            malformed=self.malformed,
            **brought,
        )
