"""Two hundred wallets that trade, change their minds, merge and redeem; decided by one seed, written on a tape."""

import heapq
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial

import attrs
import trio
from simulation.day_sim.day_clock import DayClock
from simulation.day_sim.day_tape import Deed, Doing, Tape, TokenAccount

from engine.simulator.market import Market
from engine.simulator.market_factory import MarketFactory
from engine.simulator.matches import Block, Match, MatchedFill
from engine.simulator.seeds import hash_hex
from engine.simulator.world import World
from protocols.clock import Random

MARKETS = 30
SHARE = 1_000_000
LIVES_S = (1_200, 3_600, 10_800, 200_000)
VERDICT_S = (60, 900)
VERDICTS = ((SHARE, 0), (0, SHARE), (SHARE, 0), (SHARE // 2, SHARE // 2))
BURST_FILLS = 60
FLOOD_FILLS = 700
"""More than a page of any list."""


def wallet_names(count: int) -> list[str]:
    return [f"0x{number:040x}" for number in range(0xDA0000, 0xDA0000 + count)]


@attrs.define(eq=False, kw_only=True)
class DayTraders:
    """The only one who trades at the venue. What a deed is worth is decided here, what follows from it on the tape."""

    world: World
    clock: DayClock
    rng: Random
    wallets: Sequence[str]
    fills_per_h: float
    tape: Tape = attrs.field(factory=Tape)
    open_markets: list[Market] = attrs.field(factory=list)
    ended: list[Market] = attrs.field(factory=list)
    floods: int = 0
    _held: dict[str, dict[str, int]] = attrs.field(init=False)
    _factory: MarketFactory = attrs.field(init=False)
    _agenda: list[tuple[float, int, Callable[[], None]]] = attrs.field(init=False, factory=list)
    _scheduled: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._held = {wallet: {} for wallet in self.wallets}
        self._factory = MarketFactory(self.world.markets, rng=Random(self.rng.random()), life_scale=1.0)
        for _ in range(MARKETS):
            self._open_market(age=self.rng.random())

    async def run(self) -> None:
        """Trades until it is cancelled. One task for all, so that a seed is one tape."""
        self._schedule(0, self._trade)
        while True:
            at_s, _, happen = heapq.heappop(self._agenda)
            await trio.sleep_until(at_s)
            happen()

    def _schedule(self, delay_s: float, happen: Callable[[], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._agenda, (trio.current_time() + delay_s, self._scheduled, happen))

    def _open_market(self, age: float = 0.0) -> None:
        life_s = self.rng.choice(LIVES_S) * (1 - age)
        market = self._factory.open(self.clock.now_ms())
        market.end_ms = self.clock.now_ms() + round(life_s * 1000)
        self.world.markets.add(market)
        self.open_markets.append(market)
        self._schedule(life_s, partial(self._end, market))

    def _end(self, market: Market) -> None:
        self.open_markets.remove(market)
        market.close(self.clock.now_ms())
        self._schedule(self.rng.uniform(*VERDICT_S), partial(self._decide, market))
        self._open_market()

    def _decide(self, market: Market) -> None:
        market.resolve(self.rng.choice(VERDICTS), self.clock.now_ms())
        self.ended.append(market)

    def _trade(self) -> None:
        self.deed()
        self._schedule(self.rng.expovariate(self.fills_per_h / 2 / 3_600), self._trade)

    def deed(self) -> None:
        """Does one thing."""
        rng, wallet = self.rng, self.rng.choice(self.wallets)
        kinds = (
            (self._open, 30), (self._more, 12), (self._part, 14), (self._close, 16), (self._merge, 5),
            (self._redeem, 14), (self._flash, 5), (self._twins, 4), (self._burst, 0.5),
        )  # fmt: skip
        rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0](wallet)

    def flood(self) -> None:
        """More fills of one wallet in a few seconds than a page has, all alike but for their transactions."""
        self.floods += 1
        wallet, market = self.rng.choice(self.wallets), self.rng.choice(self.open_markets)
        for _ in range(FLOOD_FILLS):
            self._fill(wallet, market, 0, "BUY", SHARE)

    def settle(self) -> None:
        """Nobody keeps a position that he has closed once before: the venue lists such a one as neither open nor closed."""
        while again := [key for key, account in self.tape.accounts().items() if _is_open_again(account)]:
            for wallet, token in again:
                market = self._market(token)
                if market.payouts is not None:
                    self._redeem_in(wallet, market)
                elif micro := self._held[wallet].get(token, 0):
                    self._give(wallet, token, micro)

    def _open(self, wallet: str) -> None:
        market = self.rng.choice(self.open_markets)
        self._fill(wallet, market, self.rng.randrange(2), "BUY", self._size())

    def _more(self, wallet: str) -> None:
        if token := self._token(wallet):
            market = self._market(token)
            self._fill(wallet, market, market.index_of(token), "BUY", self._size())

    def _part(self, wallet: str) -> None:
        if token := self._token(wallet):
            held = self._held[wallet][token]
            self._give(wallet, token, max(1, round(held * self.rng.uniform(0.1, 0.9))))

    def _close(self, wallet: str) -> None:
        if token := self._token(wallet):
            self._give(wallet, token, self._held[wallet][token])

    def _flash(self, wallet: str) -> None:
        """Opened and closed between two polls, and sometimes opened once more."""
        market, index = self.rng.choice(self.open_markets), self.rng.randrange(2)
        token = market.token_ids[index]
        self._fill(wallet, market, index, "BUY", self._size())
        self._give(wallet, token, self._held[wallet][token])

    def _twins(self, wallet: str) -> None:
        """A transaction in which one wallet has two fills that are alike in everything."""
        market, index = self.rng.choice(self.open_markets), self.rng.randrange(2)
        self._fill(wallet, market, index, "BUY", 2 * self._size(), makers=2)

    def _burst(self, wallet: str) -> None:
        market, index = self.rng.choice(self.open_markets), self.rng.randrange(2)
        for _ in range(BURST_FILLS):
            self._fill(wallet, market, index, "BUY", self._size())

    def _merge(self, wallet: str) -> None:
        if token := self._token(wallet):
            market = self._market(token)
            held = self._held[wallet]
            self._fill(wallet, market, 1 - market.index_of(token), "BUY", held[token])
            pairs = min(held.get(each, 0) for each in market.token_ids)
            now_ms = self.clock.now_ms()
            self.world.account_desk.merge(market, wallet, pairs, now_ms)
            self._write(wallet, market, Doing.MERGE, micro=pairs)
            for each in market.token_ids:
                held[each] -= pairs

    def _redeem(self, wallet: str) -> None:
        """Winners redeem, and losers now and then."""
        for market in self.rng.sample(self.ended, min(len(self.ended), 12)):
            held = [self._held[wallet].get(token, 0) for token in market.token_ids]
            won = [micro for micro, payout in zip(held, market.payouts or (0, 0), strict=True) if payout and micro]
            if any(held) and (won or self.rng.random() < 0.2):
                self._redeem_in(wallet, market)
                return

    def _redeem_in(self, wallet: str, market: Market) -> None:
        self.world.account_desk.redeem(market, [wallet], self.clock.now_ms())
        self._write(wallet, market, Doing.REDEEM)
        for token in market.token_ids:
            self._held[wallet].pop(token, None)

    def _give(self, wallet: str, token: str, micro: int) -> None:
        market = self._market(token)
        self._fill(wallet, market, market.index_of(token), "SELL", micro)

    def _fill(self, wallet: str, market: Market, index: int, side: str, micro: int, *, makers: int = 1) -> None:
        """One transaction: a taker, and another of the wallets who takes the other side."""
        price = Decimal(self.rng.randrange(5, 96)) / 100
        maker = self.rng.choice([each for each in self.wallets if each != wallet])
        # Who buys does so from one who buys the other outcome; who sells, from one who wants it.
        theirs, their_price = (1 - index, 1 - price) if side == "BUY" else (index, price)
        fills = [_matched(wallet, market, index, side, micro, price, is_taker=True)]
        fills += [_matched(maker, market, theirs, "BUY", micro // makers, their_price) for _ in range(makers)]
        transaction = hash_hex(self.rng)
        self.world.publisher.publish(
            Block(offset_s=0.0, matches=[Match(transaction_hash=transaction, fills=tuple(fills))])
        )
        for fill in fills:
            self._write(
                fill.wallet,
                market,
                Doing(fill.side),
                token=market.token_ids[fill.outcome_index],
                micro=fill.size_micro,
                price=Fraction(fill.price),
                transaction=transaction,
            )
            held, token = self._held[fill.wallet], market.token_ids[fill.outcome_index]
            held[token] = held.get(token, 0) + (fill.size_micro if fill.side == "BUY" else -fill.size_micro)

    def _write(
        self,
        wallet: str,
        market: Market,
        doing: Doing,
        *,
        token: str = "",
        micro: int = 0,
        price: Fraction = Fraction(0),
        transaction: str = "",
    ) -> None:
        # The time of a block is a second after the match (venue.md §1.2).
        second = (self.clock.now_ms() + 1_000) // 1_000
        self.tape.deeds.append(
            Deed(second=second, doing=doing, wallet=wallet, market=market, token=token, micro=micro, price=price,
                 transaction=transaction)
        )  # fmt: skip

    def _token(self, wallet: str) -> str | None:
        """A token of an open market that the wallet holds."""
        held = [
            token for token, micro in self._held[wallet].items() if micro and self._market(token) in self.open_markets
        ]
        return self.rng.choice(held) if held else None

    def _market(self, token: str) -> Market:
        market = self.world.markets.with_token(token)
        assert market is not None
        return market

    def _size(self) -> int:
        return self.rng.randrange(1, 40_000) * 10_000


def _is_open_again(account: TokenAccount) -> bool:
    return bool(account.held_micro) and len(account.episodes) > 1 and not account.is_lost


def _matched(
    wallet: str, market: Market, index: int, side: str, micro: int, price: Decimal, *, is_taker: bool = False
) -> MatchedFill:
    return MatchedFill(
        wallet=wallet,
        is_taker=is_taker,
        side=side,
        market=market,
        outcome_index=index,
        size_micro=micro,
        price=price,
    )
