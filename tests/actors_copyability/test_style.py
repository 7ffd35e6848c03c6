"""Flags of style: planted traders are flagged for what they are, and an ordinary one for nothing."""

from decimal import Decimal

from actors.rules.copyability.style import DAY_MS, StyleTrade, style_flags

NOW = 1_800_000_000_000


def trades(*made):
    """Trades of (minutes before now, market, token, side, USD), sorted."""
    return sorted(
        (
            StyleTrade(
                trade_ms=NOW - minutes * 60_000, condition_id=f"m{market}", token_id=token, side=side, usd=Decimal(usd)
            )
            for minutes, market, token, side, usd in made
        ),
        key=lambda one: one.trade_ms,
    )


def names(made):
    return [flag.name for flag in style_flags(made, NOW)]


def ordinary(days=30, usd=50):
    """Four purchases a day, each in a market of its own, one in four sold a day later."""
    made = []
    for number in range(days * 4):
        at = 60 + number * 360
        made.append((at, number, f"{number}y", "BUY", usd))
        if number % 4 == 0:
            made.append((max(1, at - 1_440), number, f"{number}y", "SELL", usd))
    return made


def test_an_ordinary_trader_has_no_flag():
    assert names(trades(*ordinary())) == []
    assert style_flags([], NOW) == []


def test_a_market_maker_turns_round_within_minutes():
    quotes = [(5_000 - n * 3, n // 40, f"{n // 40}y", "BUY" if n % 2 else "SELL", 20) for n in range(120)]
    assert "market_maker" in names(trades(*quotes))
    [flag] = [one for one in style_flags(trades(*quotes), NOW) if one.name == "market_maker"]
    assert "117 of 120" in flag.evidence
    # Buying the other outcome is selling this one.
    twins = [(5_000 - n * 3, n // 40, f"{n // 40}{'yn'[n % 2]}", "BUY", 20) for n in range(120)]
    assert "market_maker" in names(trades(*twins))
    slow = [(50_000 - n * 60, n // 40, f"{n // 40}y", "BUY" if n % 2 else "SELL", 20) for n in range(120)]
    assert "market_maker" not in names(trades(*slow))
    assert "market_maker" not in names(trades(*quotes[:99]))


def test_who_trades_all_day_or_in_bursts_is_frequent():
    assert "high_frequency" in names(trades(*[(1_000 - n * 3, n, f"{n}y", "BUY", 5) for n in range(300)]))
    assert "high_frequency" in names(trades(*[(100, n, f"{n}y", "BUY", 5) for n in range(20)]))
    assert "high_frequency" not in names(trades(*[(100 + n, n, f"{n}y", "BUY", 5) for n in range(20)]))


def test_who_buys_both_outcomes_is_on_both_sides():
    both = [(3_000 + n * 900, n // 2, f"{n // 2}{'yn'[n % 2]}", "BUY", 100) for n in range(20)]
    assert names(trades(*both)) == ["both_sides"]
    hedges = [(3_000 + n * 900, n // 2, f"{n // 2}{'yn'[n % 2]}", "BUY", 100 if n % 2 else 10) for n in range(20)]
    assert names(trades(*hedges)) == []


def test_a_sudden_jump_of_size_needs_enough_on_both_sides():
    week = 7 * 1_440
    small = [(week + 100 + n * 600, n, f"{n}y", "BUY", 20) for n in range(20)]
    large = [(100 + n * 600, 100 + n, f"{n}z", "BUY", 100) for n in range(5)]
    assert names(trades(*small, *large)) == ["size_jump"]
    assert names(trades(*small, *large[:4])) == []
    assert names(trades(*small[:19], *large)) == []
    assert names(trades(*small, *[(at, m, t, s, 99) for at, m, t, s, _ in large])) == []


def test_who_has_not_traded_for_two_weeks_is_inactive():
    old = [(14 * 1_440 + n * 500, n, f"{n}y", "BUY", 5) for n in range(3)]
    assert names(trades(*old)) == ["inactive"]
    assert names(trades(*old, (14 * 1_440 - 1, 9, "9y", "BUY", 5))) == []
    assert DAY_MS == 86_400_000
