"""Plays traders' trades to their mirrors, at every size of the ladder in one pass, and reads off what each copy made."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import attrs

from actors.rules.copyability.category_fees import with_fee
from actors.rules.copyability.copies import Copy, Leg, costs_of, summed
from actors.rules.copyability.depth import DepthModel
from config.schema import EngineConfig
from engine.adapters.memory.paper_stage import Position, Sale
from engine.copyability.mirror import mirrors_of, name_of
from engine.copyability.price_tape import PriceTape
from engine.copyability.synthetic_books import Glances, SyntheticBooks
from engine.replay.host import Replayed, ReplayOrder, replay
from engine.replay.tape_markets import Resolution
from engine.simulator.tape import TapeRow
from protocols.decisions import Reason

VENUE_MINIMUM_USD = Decimal(1)
"""Least amount of an order that takes from the book (domain.md §10.2)."""
WAITING_MAX = 100_000
LINGER_MS = 10
"""All fills of a transaction are of one second of the tape."""
NOT_LEFT_OUT = frozenset({Reason.TAKEN.value, Reason.TRADER_SELL.value})
UNRESOLVED, UNKNOWN_MARKET, BELOW_MINIMUM = "unresolved", "unknown_market", "below_minimum"


@attrs.frozen(kw_only=True, eq=False)
class CopyTape:
    """What is played."""

    rows: Sequence[TapeRow]
    """Trades of those who are copied, in the order of time."""
    resolutions: Sequence[Resolution]
    """Of every market that is known."""
    prices: PriceTape
    """Of everybody's trades in these markets; has those of `rows`, too."""


@attrs.frozen(kw_only=True)
class Assumed:
    """What copying is assumed to be like."""

    delay_ms: int
    model: DepthModel = attrs.field(factory=DepthModel)
    seed: int = 1


@attrs.frozen(kw_only=True)
class CopiesAtSize:
    """What became of a trader's trades at one size."""

    size_usd: Decimal
    copies: Sequence[Copy]
    """Those that ended, in the order of time."""
    left_out: Mapping[str, int]
    sales_below_minimum: int


def play(
    config: EngineConfig, tape: CopyTape, sizes: Mapping[str, Sequence[Decimal]], assumed: Assumed
) -> dict[tuple[str, Decimal], CopiesAtSize]:
    """Returns what became of trades, by wallet and size. `sizes` says at which ones each wallet is copied."""
    bots = [bot for wallet, usd in sizes.items() for bot in mirrors_of(wallet, usd, assumed.delay_ms)]
    if not tape.rows:
        return {
            (wallet, size): CopiesAtSize(size_usd=size, copies=(), left_out={}, sales_below_minimum=0)
            for wallet, usd in sizes.items()
            for size in usd
        }
    known = {one.condition_id: one.market.token_ids for one in tape.resolutions if one.condition_id and one.market}
    tape.prices.pair(known)
    glances = Glances()
    order = ReplayOrder(
        rows=tape.rows,
        bots=bots,
        resolutions=[_with_fee(one) for one in tape.resolutions],
        books=lambda view: SyntheticBooks(tape=tape.prices, model=assumed.model, clock=view.clock, glances=glances),
        seed=assumed.seed,
    )
    patient = attrs.evolve(
        config,
        forward_testing=attrs.evolve(
            config.forward_testing, waiting_max=WAITING_MAX, aggregate_linger_ms=float(LINGER_MS)
        ),
    )
    done = replay(patient, order)
    reading = _Reading(
        done=done, glances=glances, known=known.keys(), sold=_sale_prices(tape.rows), delay_ms=assumed.delay_ms
    )
    return {(wallet, size): reading.at_size(wallet, size) for wallet, usd in sizes.items() for size in usd}


def _with_fee(one: Resolution) -> Resolution:
    return one if one.market is None else attrs.evolve(one, market=with_fee(one.market))


def _sale_prices(rows: Sequence[TapeRow]) -> dict[tuple[str, str, int], Decimal]:
    """Returns the mean price of a trader's sales of a token in a second."""
    usd, shares = defaultdict[tuple[str, str, int], Decimal](Decimal), Counter[tuple[str, str, int]]()
    for row in rows:
        if row.side == "SELL":
            key = (row.wallet, row.token_id, row.timestamp_s * 1000)
            usd[key] += row.price * row.size_micro
            shares[key] += row.size_micro
    return {key: amount / shares[key] for key, amount in usd.items()}


@attrs.define(eq=False, kw_only=True)
class _Reading:
    """Copies out of the ledger of a replay."""

    done: Replayed
    glances: Glances
    known: Collection[str | None]
    sold: Mapping[tuple[str, str, int], Decimal]
    delay_ms: int
    _positions: defaultdict[str, list[Position]] = attrs.field(init=False, factory=lambda: defaultdict(list))
    _sales: defaultdict[str, list[Sale]] = attrs.field(init=False, factory=lambda: defaultdict(list))
    _reasons: defaultdict[int, Counter[str]] = attrs.field(init=False, factory=lambda: defaultdict(Counter))
    _numbers: dict[str, int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        for position in self.done.ledger.positions.values():
            self._positions[position.order.wallet_id].append(position)
        for sale in self.done.ledger.sales:
            self._sales[sale.shares.order_id].append(sale)
        for (number, reason), count in self.done.ledger.reasons.items():
            self._reasons[number][reason] += count
        self._numbers = {one.wallet_id: one.number for one in self.done.strategies}

    def at_size(self, wallet: str, size_usd: Decimal) -> CopiesAtSize:
        """Returns what became of a trader's trades at a size."""
        name = name_of(wallet, size_usd)
        reasons = self._reasons[self._numbers[name]]
        left_out = Counter({reason: count for reason, count in reasons.items() if reason not in NOT_LEFT_OUT})
        copies, small_sales = list[Copy](), 0
        for position in self._positions[name]:
            if size_usd < VENUE_MINIMUM_USD:
                left_out[BELOW_MINIMUM] += 1
            elif position.left is not None:
                left_out[UNRESOLVED if position.order.condition_id in self.known else UNKNOWN_MARKET] += 1
            else:
                copies.append(self._copy(position, size_usd))
                sales = self._sales[position.order.order_id]
                small_sales += sum(one.shares.proceeds + one.fee < VENUE_MINIMUM_USD for one in sales)
        copies.sort(key=lambda one: one.trade_ms)
        return CopiesAtSize(size_usd=size_usd, copies=copies, left_out=dict(left_out), sales_below_minimum=small_sales)

    def _copy(self, position: Position, size_usd: Decimal) -> Copy:
        order = position.order
        legs = [self._bought(position), *(self._sold(position, sale) for sale in self._sales[order.order_id])]
        return Copy(
            trade_ms=order.trade_ms,
            condition_id=order.condition_id,
            stake=order.stake,
            wanted=size_usd,
            net=position.pnl,
            costs=summed(costs_of(leg) for leg in legs),
        )

    def _bought(self, position: Position) -> Leg:
        order = position.order
        looked_at = json.loads(order.fill_inputs)
        glance = self.glances.from_then(order.token_id, looked_at["observedMs"])
        touch = Decimal(looked_at["levels"][0][0])
        return Leg(
            is_buy=True,
            shares=order.shares,
            price=order.entry_price,
            leader_price=order.signal_price,
            middle=touch if glance is None else glance.middle,
            touch=touch,
            fee=order.fee,
        )

    def _sold(self, position: Position, sale: Sale) -> Leg:
        """The book of a sale is the first that was looked at when our order could be there."""
        order = position.order
        glance = self.glances.from_then(order.token_id, sale.trade_ms + self.delay_ms)
        touch = sale.price if glance is None or glance.best_bid is None else glance.best_bid
        return Leg(
            is_buy=False,
            shares=sale.shares.shares,
            price=sale.price,
            leader_price=self.sold.get((order.trader, order.token_id, sale.trade_ms), sale.price),
            middle=touch if glance is None else glance.middle,
            touch=touch,
            fee=sale.fee,
        )
