"""What is decided about a trade: the inputs, the reasons, and what comes of it.

`Inputs` is everything a decision depends on besides the strategy and its bankroll; it is kept as the snapshot of
`decisions`, so that the pure chain can be run on it again (`why`). Decimals are texts in JSON and msgpack: exact.
"""

import enum
from decimal import Decimal

import attrs
import msgspec

from protocols.conflicts import Crowd, Stand
from protocols.live.exits import ExitSignal
from protocols.live.orders import LiveIntent
from protocols.trades import LanedTrade


class Reason(enum.StrEnum):
    """Why a strategy did what it did. The names of domain.md §2.6 in its order, and those that this engine adds."""

    TAKEN = "taken"
    """Bought."""
    TRADER_SELL = "trader_sell"
    """Sold what was bought from the trader, in proportion."""
    EXCLUDED_TRADER = "excluded_trader"
    NOT_BUY = "not_buy"
    """A sale, and nothing of it is ours to close."""
    DUPLICATE = "duplicate"
    """This trade, or a member of the aggregate, has been copied already."""
    AGGREGATED = "aggregated"
    """Came after its aggregate was decided."""
    OUTSIDE_WINDOW = "outside_window"
    TRADE_TOO_OLD = "trade_too_old"
    MARKET_NOT_FOUND = "market_not_found"
    MARKET_RESOLVED = "market_resolved"
    AFTER_MARKET_END = "after_market_end"
    NO_GAME_START_TIME = "no_game_start_time"
    PRE_GAME = "pre_game"
    NOT_TARGET_TRADER = "not_target_trader"
    PRICE_OUT_OF_RANGE = "price_out_of_range"
    LOW_WIN_RATE = "low_win_rate"
    INSUFFICIENT_EDGE = "insufficient_edge"
    LOW_TRADE_COUNT = "low_trade_count"
    LOW_CONVICTION = "low_conviction"
    HIGH_WIN_RATE = "high_win_rate"
    HIGH_EDGE = "high_edge"
    HIGH_CONVICTION = "high_conviction"
    WRONG_CATEGORY = "wrong_category"
    WRONG_STRUCTURE = "wrong_structure"
    EXCLUDED_CATEGORY = "excluded_category"
    TRADE_TOO_SMALL = "trade_too_small"
    TRADE_TOO_LARGE = "trade_too_large"
    ML_UNAVAILABLE = "ml_unavailable"
    LOW_ML_SCORE = "low_ml_score"
    PORTFOLIO_UNKNOWN = "portfolio_unknown"
    """PROPORTIONAL of the portfolio, and nobody knows what the leader's is worth."""
    CONFLICT_FIRST = "conflict_first"
    """It holds another outcome of the market already, from another target."""
    CONFLICT_MAJORITY = "conflict_majority"
    """Not more of its targets stand on this outcome than on any other, or nobody knows."""
    CONFLICT_NET = "conflict_net"
    """Not more of its targets' money stands on this outcome than on any other, or nobody knows."""
    SIDE_LIMIT = "side_limit"
    """As many of its targets as are allowed are copied on this outcome already."""
    EVENT_EXPOSURE = "event_exposure"
    """The event holds as much of its money as is allowed."""
    ZERO_STAKE = "zero_stake"
    """The formula stakes nothing, as Kelly does without an edge."""
    INSUFFICIENT_CASH = "insufficient_cash"
    BOOK_UNAVAILABLE = "book_unavailable"
    SLIPPAGE_EXCEEDED = "slippage_exceeded"
    """The book has nothing up to the limit."""
    RULE_ERROR = "rule_error"
    """A rule failed: a bug, logged and counted; other strategies are not touched."""


class Present(msgspec.Struct, frozen=True, tag="present", kw_only=True):
    """A model's probability that the bought outcome wins."""

    probability: Decimal
    """0 to 1."""


class Absent(msgspec.Struct, frozen=True, tag="absent", kw_only=True):
    """No score, and why. Never equals one half (I8)."""

    reason: str
    """A short label: not_asked, no_scorer, unknown_trade, timeout, error."""


Score = Present | Absent


class MarketInput(msgspec.Struct, frozen=True, kw_only=True):
    """A market as a decision sees it. What the venue does not say is None."""

    condition_id: str
    title: str | None = None
    slug: str | None = None
    event_slug: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    closed: bool = False
    resolved: bool = False
    end_ms: int | None = None
    game_start_ms: int | None = None
    fee_rate: Decimal | None = None
    """Taker fee rate of `feeSchedule` (venue.md §7.1); None: the market charges none, or does not say."""
    fee_exponent: int = 1
    outcomes: tuple[str, ...] = ()
    token_ids: tuple[str, ...] = ()
    """In the order of `outcomes`."""
    outcome_prices: tuple[Decimal, ...] | None = None
    structure: str = "STANDARD"
    """HEAD_TO_HEAD, STANDARD, YES_NO, SPREAD, PROP or OVER_UNDER."""
    niche: str = "OTHER"
    observed_ms: int = 0
    """When the venue was asked, as far as is known."""


class WindowRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a trader did in one window of time. Rates are 0 to 1, None where there is nothing to take a rate of."""

    resolved_count: int = 0
    """BUY trades whose market is resolved."""
    win_rate: Decimal | None = None
    """Mean payout of those trades: 1 a win, 0 a loss, a half for a void market."""
    trade_count: int = 0
    """BUY trades seen."""
    avg_trade_usd: Decimal | None = None
    """Mean notional of BUY trades."""
    roi: Decimal | None = None
    """(payouts - cost) / cost of resolved trades."""


class ProfileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A trader's record in one niche, structure and price bracket (LOW, MID, HIGH)."""

    niche: str
    structure: str
    bracket: str
    resolved_count: int
    win_rate: Decimal


class TraderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a trader (domain.md §2.3)."""

    lifetime: WindowRecord
    d30: WindowRecord
    d7: WindowRecord
    profiles: tuple[ProfileRecord, ...] = ()


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """An order book of one token: (price, shares), best first on both sides."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    observed_ms: int


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """One trade, or the aggregate of several, and all that strategies are judged by."""

    trade_id: str
    """Of an aggregate: its first member's."""
    members: tuple[str, ...] = ()
    """Trade ids of an aggregate, first one first; empty for a trade by itself."""
    wallet: str
    token_id: str
    condition_id: str
    side: str
    price: Decimal
    """Of an aggregate: weighted by shares."""
    size_micro: int
    trade_ms: int
    """Of an aggregate: the first member's."""
    now_ms: int
    """When it was decided."""
    outcome: str | None = None
    title: str | None = None
    """As the trade itself has it; the market's own title goes first."""
    market: MarketInput | None = None
    trader: TraderRecord | None = None
    score: Score = Absent(reason="not_asked")
    book: Book | None = None
    portfolio_usd: Decimal | None = None
    holding_micro: int | None = None
    """Of a SELL: what the trader held before, in micro-shares; None when nobody knows."""
    crowds: tuple[Crowd, ...] | None = None
    """Of a BUY: how targets stand in the market, once for strategies with the same targets; None: nobody asked or knew."""


class PaperOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual position that copies one trade or aggregate."""

    order_id: str
    """A uuid made from strategy and source trade: deciding again gives the same one."""
    wallet_id: str
    version: int
    source_trade_id: str
    members: tuple[str, ...]
    trader: str
    condition_id: str
    token_id: str
    outcome: str | None
    market_slug: str | None
    market_title: str | None
    market_end_ms: int | None
    signal_price: Decimal
    entry_price: Decimal
    stake: Decimal
    """USD paid for the shares."""
    shares: Decimal
    fee: Decimal
    """USD on top of the stake."""
    entry_model: str
    fill_inputs: str
    """JSON of what the entry model looked at."""
    win_rate: Decimal
    resolved_count: int
    roi: Decimal | None
    model_probability: Decimal | None
    edge: Decimal
    conviction: Decimal
    trade_ms: int
    decided_ms: int
    event_slug: str | None = None
    """Of the market, as it was known then."""

    @property
    def cost(self) -> Decimal:
        """Returns the USD that leave the cash: stake and fee."""
        return self.stake + self.fee


class PaperClose(msgspec.Struct, frozen=True, kw_only=True):
    """A sale of a part of a paper position, because the copied trader sold."""

    wallet_id: str
    order_id: str
    source_trade_id: str
    shares: Decimal
    """Wanted; less if less is open by then."""
    share: Decimal
    """The part of his holding that he sold, 0 to 1."""
    price: Decimal
    """USD a share that we get, before the fee."""
    fee_rate: Decimal | None
    fee_exponent: int
    trade_ms: int


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What strategies decided about a trade. Sequences are parallel."""

    part: str
    """`now`, or what these strategies had to wait for: such as `book500`, `model`, `w30+book500`, `sides+order`."""
    trade_id: str
    trade_ms: int
    decided_ms: int
    members: tuple[str, ...]
    snapshot: str
    """`Inputs` as JSON."""
    strategies: tuple[int, ...]
    """Numbers."""
    versions: tuple[int, ...]
    reasons: tuple[str, ...]
    bankrolls: tuple[Decimal | None, ...]
    """USD, where the decision got as far as looking at the bankroll."""
    orders: tuple[PaperOrder, ...] = ()
    closes: tuple[PaperClose, ...] = ()
    intents: tuple[LiveIntent, ...] = ()
    """Of live strategies that mirror one of `strategies`: claims that are committed with the decision."""
    stands: tuple[Stand | None, ...] = ()
    """What policies for conflicts looked at, where a decision got that far; empty where no strategy has one."""
    exit_signal: ExitSignal | None = None
    """Of a SELL: what live strategies that hold what was sold have to sell."""

    @property
    def key(self) -> tuple[str, str]:
        """Returns what it is claimed by: a trade is decided once for each part."""
        return (self.trade_id, self.part)


@attrs.frozen
class DecidedTrade(LanedTrade):
    """A trade, its importance, and what was decided about it."""

    decisions: tuple[Decision, ...] = ()
