"""A plan as one HTML page that needs nothing else."""

from collections.abc import Sequence
from html import escape

from engine.plan.document import Plan, PlanCopy, PlanFigures, PlannedBot, Refusal, TradeDifference
from engine.replay.report import STYLE, cell, row_of, signed, table

TRADES_SHOWN = 500
_TIME = "%Y-%m-%d %H:%M:%S"
KINDS = {"added": "now and not before", "dropped": "no longer", "changed": "otherwise"}


def page(plan: Plan) -> str:
    """Returns the page. Every text of trades and settings is escaped."""
    source = plan.source
    facts = (
        f"{source.trades:,} trades of {source.traders:,} traders in {source.markets:,} markets, {source.since:{_TIME}} to "
        f"{source.until:{_TIME}} UTC. Seed {plan.seed}."
    )
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Plan of {len(plan.bots)} strategies</title><style>{STYLE}</style></head><body>",
            f"<h1>What would have been copied otherwise</h1><p>{escape(facts)}</p>",
            *(_bot(bot) for bot in plan.bots),
            f"<p>Unchanged: {escape(', '.join(plan.unchanged))}</p>" if plan.unchanged else "",
            "<h2>What this cannot know</h2><ul>",
            *(f"<li>{escape(sentence)}</li>" for sentence in plan.limits),
            "</ul>",
            _thin(plan),
            "</body></html>\n",
        ]
    )


def _bot(bot: PlannedBot) -> str:
    kind = "new" if bot.is_new else f"version {bot.version}"
    changes = [row_of((escape(one.name), cell(one.old), cell(one.new))) for one in bot.changes]
    reasons = [row_of((escape(one.reason), f"{one.before:,}", f"{one.after:,}")) for one in bot.reasons]
    sums = [
        row_of((words, f"{one.trades:,}", signed(one.effect)))
        for words, one in zip(KINDS.values(), (bot.added, bot.dropped, bot.changed), strict=True)
    ]
    return "".join(
        [
            f"<section><h2>{escape(bot.wallet_id)} <span class=quiet>{kind}</span></h2>",
            *(f"<p class=bad>{escape(warning)}</p>" for warning in bot.warnings),
            table(("setting", "before", "after"), changes) if changes else "",
            table(("", "before", "after"), _figures(bot.before, bot.after)),
            table(("copied", "trades", "effect, USD"), [row_of(("alike", f"{bot.same:,}", "")), *sums]),
            "</section>",
            _trades(bot),
            f"<details><summary>Reasons</summary>{table(('reason', 'before', 'after'), reasons)}</details>",
        ]
    )


def _figures(before: PlanFigures | None, after: PlanFigures) -> list[str]:
    rows = []
    for words, field, is_signed in (
        ("trades judged", "judged", False),
        ("orders", "orders", False),
        ("stakes, USD", "stakes", False),
        ("fees, USD", "fees", False),
        ("realised, USD", "realized_pnl", True),
        ("open, marked, USD", "unrealized_pnl", True),
        ("return, %", "return_pct", True),
        ("max drawdown, %", "max_drawdown_pct", False),
    ):
        values = [None if one is None else getattr(one, field) for one in (before, after)]
        rows.append(row_of((words, *("–" if v is None else signed(v) if is_signed else f"{v:,}" for v in values))))
    return rows


def _trades(bot: PlannedBot) -> str:
    if not bot.trades:
        return "<p class=quiet>Every trade was treated alike.</p>"
    shown = bot.trades[:TRADES_SHOWN]
    more = " (those with the greatest effect)" if bot.cut or len(shown) < len(bot.trades) else ""
    heads = ("trade", "market", "outcome", "his price", "before", "after", "because", "effect, USD")
    rows = table(heads, [_trade(one) for one in shown])
    return f"<details open><summary>Trades that differ: {len(shown):,}{more}</summary>{rows}</details>"


def _trade(one: TradeDifference) -> str:
    because = refusal_words(one.refusal) if one.refusal is not None else ", ".join(one.differs)
    return row_of(
        (
            f"{one.at:{_TIME}}",
            escape(one.market or one.token_id),
            escape(one.outcome or ""),
            f"{one.trader_price:f}",
            _copy(one.before),
            _copy(one.after),
            escape(because),
            signed(one.effect),
        )
    )


def refusal_words(refusal: Refusal) -> str:
    """Returns the gate with what it looked at and its limit."""
    if refusal.value is None and refusal.limit is None:
        return refusal.reason
    return f"{refusal.reason}: {refusal.value or '–'}, limit {refusal.limit or '–'}"


def _copy(copy: PlanCopy | None) -> str:
    if copy is None:
        return "–"
    return f"{copy.stake:,.2f} at {copy.price:.3f}, {escape(copy.result.lower())} {signed(copy.pnl)}"


def _thin(plan: Plan) -> str:
    rows = [row_of((one.wallet, f"{one.trades:,}", cell(one.oldest))) for one in plan.thin]
    return _section("Traders whose stored trades do not go back far enough", rows, plan.thin_count)


def _section(title: str, rows: Sequence[str], count: int) -> str:
    if not rows:
        return ""
    heads = ("trader", "trades played", "oldest stored trade")
    return f"<details><summary>{title}: {count:,}</summary>{table(heads, rows)}</details>"
