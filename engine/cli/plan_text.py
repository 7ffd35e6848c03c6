"""A plan on a terminal."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from engine.cli.bot_views import changed_lines
from engine.cli.figures import moment_text
from engine.cli.terminal import plain, table_lines
from engine.plan.document import Plan, PlanCopy, PlanFigures, PlannedBot, Refusal, TradeDifference

TRADES_SHOWN = 20
REASONS_SHOWN = 8


def plan_lines(plan: Plan) -> Iterator[str]:
    """Returns the plan as lines."""
    source = plan.source
    yield (
        f"{source.trades:,} {'stored ' if source.kind == 'stored' else ''}trades of {source.traders:,} traders in "
        f"{source.markets:,} markets, {moment_text(source.since)} to {moment_text(source.until)}"
    )
    for bot in plan.bots:
        yield ""
        yield from bot_lines(bot)
    if plan.unchanged:
        yield ""
        yield f"Unchanged: {plain(', '.join(plan.unchanged))}"
    yield ""
    yield "What this cannot know:"
    for sentence in plan.limits:
        yield f"  - {plain(sentence, 600)}"
    for one in plan.thin[:REASONS_SHOWN]:
        yield f"    {one.wallet}: {one.trades:,} trades, stored since {moment_text(one.oldest)}"
    if plan.thin_count > REASONS_SHOWN:
        yield f"    and {plan.thin_count - REASONS_SHOWN:,} more"


def bot_lines(bot: PlannedBot) -> Iterator[str]:
    """Returns what changes of one strategy."""
    yield f"{bot.wallet_id} (new)" if bot.is_new else f"{bot.wallet_id}, version {bot.version}"
    yield from (f"  {line}" for line in changed_lines({one.name: (one.old, one.new) for one in bot.changes}))
    yield from (f"  warning: {plain(warning)}" for warning in bot.warnings)
    yield from _indented(table_lines(("", "before", "after"), list(_figures(bot.before, bot.after)), right={1, 2}))
    yield (
        f"  copied alike {bot.same:,}; now and not before {bot.added.trades:,} ({_signed(bot.added.effect)} USD); no longer "
        f"{bot.dropped.trades:,} ({_signed(bot.dropped.effect)} USD); otherwise {bot.changed.trades:,} "
        f"({_signed(bot.changed.effect)} USD)"
    )
    if bot.trades:
        yield from _indented(_trades(bot))
    if bot.reasons:
        rows = [(one.reason, f"{one.before:,}", f"{one.after:,}") for one in bot.reasons[:REASONS_SHOWN]]
        yield from _indented(table_lines(("reason", "before", "after"), rows, right={1, 2}))


def _figures(before: PlanFigures | None, after: PlanFigures) -> Iterator[tuple[str, ...]]:
    for name, field, form in (
        ("trades judged", "judged", "{:,}"),
        ("orders", "orders", "{:,}"),
        ("stakes, USD", "stakes", "{:,.2f}"),
        ("fees, USD", "fees", "{:,.2f}"),
        ("realised, USD", "realized_pnl", "{:+,.2f}"),
        ("open, marked, USD", "unrealized_pnl", "{:+,.2f}"),
        ("return, %", "return_pct", "{:+,.2f}"),
        ("max drawdown, %", "max_drawdown_pct", "{:,.2f}"),
    ):
        yield (name, *("-" if one is None else form.format(round(getattr(one, field), 2)) for one in (before, after)))
    yield (
        "won / lost / sold",
        *("-" if one is None else f"{one.won}/{one.lost}/{one.sold}" for one in (before, after)),
    )


def _trades(bot: PlannedBot) -> list[str]:
    biggest = sorted(bot.trades, key=lambda one: -abs(one.effect))[:TRADES_SHOWN]
    rows = [_trade(one) for one in sorted(biggest, key=lambda one: one.at)]
    heads = ("trade", "market", "outcome", "his price", "before", "after", "because", "effect USD")
    lines = table_lines(heads, rows, right={3, 7})
    total = bot.added.trades + bot.dropped.trades + bot.changed.trades
    if total > len(rows):
        lines.append(f"the {len(rows)} with the greatest effect of {total:,}; --json and --html have more")
    return lines


def _trade(one: TradeDifference) -> Sequence[str]:
    return (
        moment_text(one.at),
        plain(one.market or one.token_id, 40),
        plain(one.outcome or "", 20),
        f"{one.trader_price:.3f}",
        _copy(one.before),
        _copy(one.after),
        refusal_text(one.refusal) if one.refusal is not None else ", ".join(one.differs),
        _signed(one.effect),
    )


def _copy(copy: PlanCopy | None) -> str:
    return "-" if copy is None else f"{copy.stake:.2f} at {copy.price:.3f}: {copy.result.lower()} {_signed(copy.pnl)}"


def refusal_text(refusal: Refusal) -> str:
    """Returns the gate with what it looked at and its limit."""
    if refusal.value is None and refusal.limit is None:
        return refusal.reason
    return f"{refusal.reason}: {plain(refusal.value or '-', 40)}, limit {plain(refusal.limit or '-', 40)}"


def _signed(value: Decimal) -> str:
    cents = round(value, 2)
    return f"{cents:+,.2f}" if cents else "0.00"


def _indented(lines: Sequence[str]) -> Iterator[str]:
    yield ""
    yield from (f"  {line}" for line in lines)
    yield ""
