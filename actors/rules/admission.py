"""Decides for a batch of raw trades which are kept, as what, and in which lane."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

import attrs

from actors.rules.ordinals import OrdinalCounter, Place
from actors.rules.recent_set import RecentSet
from protocols.errors import MalformedError
from protocols.trade_identity import fill_key, trade_id_of
from protocols.trades import Lane, LanedTrade, RawTrade, Trade, TradeSource, source_of, trade_from_row
from protocols.venue.rtds import payload_json

IGNORED = "none"
"""Label of trades whose wallet nobody named."""


@attrs.define(eq=False)
class Admission:
    """What a batch comes to. Nothing is remembered until `Memory.commit` is given it."""

    kept: list[LanedTrade] = attrs.field(factory=list)
    again: list[LanedTrade] = attrs.field(factory=list)
    """Repeats to pass on nevertheless: history brings what the stream brought, and only that may be shed yet."""
    repeated: int = 0
    """Fills that were seen before, on another topic, connection or source."""
    ignored: int = 0
    malformed: Counter[str] = attrs.field(factory=Counter)
    counts: dict[Place, int] = attrs.field(factory=dict)
    _ids: set[str] = attrs.field(factory=set)


@attrs.define(eq=False)
class Memory:
    """What de-duplication remembers between batches; bounded. The database decides where memory ends."""

    recent: RecentSet
    ordinals: OrdinalCounter = attrs.field(factory=OrdinalCounter)
    _lost_in_passing: set[str] = attrs.field(init=False, factory=set)

    def begin(self) -> None:
        """Says that a batch is about to be decided."""
        self._lost_in_passing.clear()

    def commit(self, admission: Admission) -> None:
        """Remembers a batch that was passed on, but for what was forgotten while it was."""
        self.ordinals.commit(admission.counts)
        for laned in admission.kept:
            if laned.trade.trade_id not in self._lost_in_passing:
                self.recent.add(laned.trade.trade_id)

    def forget(self, trade_ids: Sequence[str]) -> None:
        """Lets trades come again that were passed on and could not be kept."""
        self._lost_in_passing.update(trade_ids)
        for trade_id in trade_ids:
            self.recent.discard(trade_id)


def admit(batch: Sequence[RawTrade], lanes: Mapping[str, Lane], memory: Memory, *, everyone: bool = False) -> Admission:
    """Returns which trades of `batch` to keep. Changes nothing: a batch may be decided again after a crash.

    One look-up per trade for wallets that nobody named; everything else happens only to the others. With `everyone` those are
    targets as well.
    """
    admission = Admission()
    unnamed = Lane.TARGET if everyone else None
    for raw in batch:
        wallet = raw.row.proxy_wallet.lower()
        lane = unnamed if everyone else lanes.get(wallet)
        if lane is None:
            admission.ignored += 1
            continue
        try:
            _admit_one(raw, wallet, lane, memory, admission)
        except MalformedError as error:
            admission.malformed[error.reason] += 1
    return admission


def _admit_one(raw: RawTrade, wallet: str, lane: Lane, memory: Memory, admission: Admission) -> None:
    key = fill_key(raw.row, wallet)
    ordinal = memory.ordinals.tentative(raw.scope, key, admission.counts)
    trade_id = trade_id_of(key, ordinal)
    is_repeat = trade_id in memory.recent or trade_id in admission._ids
    if is_repeat:
        admission.repeated += 1
        if lane is Lane.KNOWN and source_of(raw.scope) is not TradeSource.STREAM:
            # Of a fill that is known nobody minds what the rest of another sighting says.
            with suppress(MalformedError):
                admission.again.append(LanedTrade(_trade_of(raw, trade_id, wallet), lane))
        return
    trade = _trade_of(raw, trade_id, wallet)
    admission._ids.add(trade_id)
    admission.kept.append(LanedTrade(trade, lane))


def _trade_of(raw: RawTrade, trade_id: str, wallet: str) -> Trade:
    return trade_from_row(raw, trade_id=trade_id, wallet=wallet, payload_json=payload_json(raw))
