"""Reasons of decisions in words: what a strategy says of a trade, for people."""

REASONS = {
    "taken": "Copied",
    "trader_sell": "Sold with the trader",
    "excluded_trader": "The trader is excluded",
    "not_buy": "A sale of something it does not hold",
    "duplicate": "Copied already",
    "aggregated": "Part of an aggregate that was decided",
    "outside_window": "Outside its start and end dates",
    "trade_too_old": "The trade came too late",
    "market_not_found": "The market is unknown",
    "market_resolved": "The market is resolved",
    "after_market_end": "After the end of the market",
    "no_game_start_time": "Nobody knows when the game starts",
    "pre_game": "The game has not started",
    "not_target_trader": "Not a trader that it copies",
    "price_out_of_range": "Price outside its range",
    "low_win_rate": "The trader wins too rarely",
    "insufficient_edge": "Too little edge",
    "low_trade_count": "Too few resolved trades of the trader",
    "low_conviction": "The trader stakes too little of his usual",
    "high_win_rate": "The trader wins more often than allowed",
    "high_edge": "More edge than allowed",
    "high_conviction": "More conviction than allowed",
    "wrong_category": "Not one of its kinds of market",
    "wrong_structure": "Not one of its market structures",
    "excluded_category": "An excluded kind of market",
    "trade_too_small": "The trade is too small",
    "trade_too_large": "The trade is too large",
    "ml_unavailable": "The model gave no probability",
    "low_ml_score": "The model thinks too little of it",
    "portfolio_unknown": "Nobody knows what the trader's portfolio is worth",
    "conflict_first": "It holds another outcome from another trader",
    "conflict_majority": "Most of its traders do not stand on this outcome",
    "conflict_net": "Most money of its traders does not stand on this outcome",
    "side_limit": "Enough traders are copied on this outcome",
    "event_exposure": "The event holds as much money as is allowed",
    "zero_stake": "The formula stakes nothing",
    "insufficient_cash": "Not enough cash",
    "book_unavailable": "The order book could not be read",
    "slippage_exceeded": "The order book has nothing up to the limit",
    "rule_error": "A rule failed, which is a bug of the engine",
}
TAKEN = ("taken", "trader_sell")
"""Reasons with which something was done."""


def reason_text(reason: str) -> str:
    """Returns a reason in words; one that is new stands as it is."""
    return REASONS.get(reason) or reason.replace("_", " ").capitalize()
