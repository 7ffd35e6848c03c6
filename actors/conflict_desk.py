"""What policies for conflicts look at: open positions of a strategy, and how its targets stand. It answers without waiting."""

from collections.abc import Callable, Sequence

import attrs

from actors.paper_book import PaperBook
from actors.rules.live.signals import Mirrors
from actors.rules.strategy.crowds import crowd_of
from actors.rules.strategy.stands import stand_of
from actors.rules.strategy_index import Needs, Runner, StrategyIndex
from actors.sides_desk import SidesDesk
from protocols.conflicts import Circle, Crowd, Stand
from protocols.decisions import Inputs
from protocols.live.holdings import LiveHoldings, NoLiveHoldings
from protocols.trades import Trade


@attrs.frozen(kw_only=True)
class Crowds:
    """How the targets of some strategies stand in the market of a trade."""

    found: tuple[Crowd, ...] | None = None
    """None: nobody asked, or what was stored of the market is not at hand."""
    places: dict[str, int] = attrs.field(factory=dict)
    """By wallet_id of a strategy."""


NOBODY_ASKED = Crowds()
NO_LIVE = NoLiveHoldings()


@attrs.define(eq=False, kw_only=True)
class ConflictDesk:
    """Nothing is looked up for strategies without such a policy."""

    book: PaperBook
    sides: SidesDesk
    live: LiveHoldings = NO_LIVE
    mirrors: Mirrors = lambda _: ()
    _circles: dict[str, Circle] = attrs.field(init=False, factory=dict)
    """By wallet_id."""

    def follow(self, index: StrategyIndex) -> None:
        """Answers for these strategies from now on."""
        self._circles = dict(index.circles)
        self.sides.follow(index.circles.values())
        self.book.watch({id_ for id_, runner in index.runners.items() if runner.needs.order})

    def note(self, trade: Trade) -> None:
        """Takes a trade into account, in the order in which trades come."""
        if not self.sides.is_idle:
            self.sides.note(trade)

    def knows(self, needs: Needs, condition_id: str) -> bool:
        """Returns whether a decision need not wait for how targets stand."""
        return not needs.sides or self.sides.knows(condition_id)

    def crowds(self, runners: Sequence[Runner], trades: Sequence[Trade]) -> Crowds:
        """Returns how targets stand, a trade or all members of an aggregate counted in; strategies with equal targets share."""
        if not runners[0].needs.sides:
            return NOBODY_ASKED
        fills = self.sides.fills_up_to(trades[0].condition_id, {trade.trade_id for trade in trades})
        if fills is None:
            return NOBODY_ASKED
        first, found = trades[0], list[Crowd]()
        places, by_circle = dict[str, int](), dict[int, int]()
        for runner in runners:
            circle = self._circles.get(runner.strategy.wallet_id)
            if circle is None:
                continue
            place = by_circle.get(id(circle))
            if place is None:
                place = by_circle[id(circle)] = len(found)
                found.append(crowd_of(fills, circle, wallet=first.wallet, trade_ms=first.trade_ms))
            places[runner.strategy.wallet_id] = place
        return Crowds(found=tuple(found), places=places)

    def stands(self, inputs: Inputs, crowds: Crowds) -> Callable[[Runner], Stand]:
        """Returns what tells of a strategy how it stands to a trade."""
        event_slug = None if inputs.market is None else inputs.market.event_slug

        def of(runner: Runner) -> Stand:
            wallet_id = runner.strategy.wallet_id
            if not runner.needs.order:
                return stand_of((), inputs, crowds.places.get(wallet_id))
            orders = self.book.positions(wallet_id, inputs.condition_id, event_slug)
            return stand_of(orders, inputs, crowds.places.get(wallet_id), self._mirrored(wallet_id, inputs))

        return of

    def _mirrored(self, wallet_id: str, inputs: Inputs) -> list[tuple[str, str]]:
        """Trader and token of what mirrors of a strategy hold in a market, are buying, or are about to be told to buy."""
        mirrors = {strategy.strategy_id for strategy in self.mirrors(wallet_id)}
        if not mirrors:
            return []
        place = (wallet_id, inputs.condition_id)
        held = [(one.trader, one.token_id) for one in self.live.copies() if (one.wallet_id, one.condition_id) == place]
        intents = (intent for decision in self.book.in_flight.values() for intent in decision.intents)
        coming = [
            (one.trader, one.token_id)
            for one in intents
            if one.strategy_id in mirrors and one.condition_id == inputs.condition_id and one.trader
        ]
        return held + coming
