"""What strategies say of a trade, in words for people."""

from protocols.decisions import Reason

REASONS: dict[Reason, tuple[str, str]] = {
    Reason.TAKEN: ("Copied", "It was bought."),
    Reason.TRADER_SELL: ("Sold with him", "What was bought from this trader was sold in proportion."),
    Reason.EXCLUDED_TRADER: ("Trader", "This trader is excluded."),
    Reason.NOT_BUY: ("Nothing to sell", "It is a sale, and nothing of it is ours to close."),
    Reason.DUPLICATE: ("First copy", "This trade, or one that belongs to it, has been copied already."),
    Reason.AGGREGATED: ("Whole order", "It belongs to an order that had been decided before it came."),
    Reason.OUTSIDE_WINDOW: ("Running", "The strategy is paused, or it was outside its dates."),
    Reason.TRADE_TOO_OLD: ("Age of the trade", "The trade was too old when it came."),
    Reason.MARKET_NOT_FOUND: ("Market", "The engine did not know this market."),
    Reason.MARKET_RESOLVED: ("Market is open", "The market was closed or resolved."),
    Reason.AFTER_MARKET_END: ("Before its end", "The market had ended."),
    Reason.NO_GAME_START_TIME: (
        "Start of the game",
        "Only running games are copied, and nobody says when this one starts.",
    ),
    Reason.PRE_GAME: ("Game is running", "Only running games are copied, and this one had not begun."),
    Reason.NOT_TARGET_TRADER: ("Traders to copy", "He is not among the traders of this strategy."),
    Reason.PRICE_OUT_OF_RANGE: ("Price", "The price was outside the range."),
    Reason.LOW_WIN_RATE: ("Win rate, at least", "The trader wins too seldom."),
    Reason.INSUFFICIENT_EDGE: ("Edge, at least", "The expected gain was too small."),
    Reason.LOW_TRADE_COUNT: ("Resolved trades", "The trader has too few resolved trades."),
    Reason.LOW_CONVICTION: ("Conviction, at least", "The trade was small for this trader."),
    Reason.HIGH_WIN_RATE: ("Win rate, at most", "The trader wins more often than wanted."),
    Reason.HIGH_EDGE: ("Edge, at most", "The expected gain was larger than wanted."),
    Reason.HIGH_CONVICTION: ("Conviction, at most", "The trade was larger for this trader than wanted."),
    Reason.WRONG_CATEGORY: ("Kind of market", "The market is of another kind."),
    Reason.WRONG_STRUCTURE: ("Kind of bet", "The bet is of another kind."),
    Reason.EXCLUDED_CATEGORY: ("Excluded words", "The title has a word that is excluded."),
    Reason.TRADE_TOO_SMALL: ("Size, at least", "The trade was too small."),
    Reason.TRADE_TOO_LARGE: ("Size, at most", "The trade was too large."),
    Reason.ML_UNAVAILABLE: ("Model", "The model was asked for and did not answer."),
    Reason.LOW_ML_SCORE: ("Score of the model", "The model thought too little of it."),
    Reason.PORTFOLIO_UNKNOWN: (
        "Portfolio",
        "The stake depends on what the trader's portfolio is worth, and that is not known.",
    ),
    Reason.CONFLICT_FIRST: ("First outcome", "It holds another outcome of this market already, from another trader."),
    Reason.CONFLICT_MAJORITY: (
        "Most targets",
        "Not more of the traders it copies stand on this outcome than on any other, or that is not known.",
    ),
    Reason.CONFLICT_NET: (
        "Most money",
        "Not more money of the traders it copies stands on this outcome than on any other, or that is not known.",
    ),
    Reason.SIDE_LIMIT: ("Traders on one side", "As many traders as are allowed are copied on this outcome already."),
    Reason.EVENT_EXPOSURE: ("Money in the event", "The event holds as much of its money as is allowed."),
    Reason.ZERO_STAKE: ("Stake", "The formula stakes nothing on it."),
    Reason.INSUFFICIENT_CASH: ("Cash", "There was not enough cash."),
    Reason.BOOK_UNAVAILABLE: ("Order book", "There was no order book to buy from."),
    Reason.SLIPPAGE_EXCEEDED: ("Slippage", "The order book had nothing up to the limit."),
    Reason.RULE_ERROR: ("Rule", "A rule failed; the log of the engine says more."),
}
"""Of each reason the name of its gate, and what it means when that fails."""
GOOD = frozenset((Reason.TAKEN.value, Reason.TRADER_SELL.value))


def reason_label(reason: str) -> str:
    """Returns the name of a gate; of a reason of another version its own name."""
    return REASONS[Reason(reason)][0] if reason in set(Reason) else reason.replace("_", " ")


def reason_text(reason: str) -> str:
    """Returns a reason as a sentence."""
    return REASONS[Reason(reason)][1] if reason in set(Reason) else reason.replace("_", " ")
