"""The document of a replay as one HTML page that needs nothing else: figures, equity curves and reasons of every bot."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Any

ORDERS_SHOWN = 100
"""Of each bot; the JSON has all."""
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 200, 64, 12, 12, 26
"""Of a chart and its margins, in units of its view box."""
LIMITS = """
Unsettled positions are marked to the last trade of their token. A tape has neither order books nor holdings: no strategy buys
from a book, and sales are copied in proportion to what the trader bought on the tape.
"""
STYLE = """
:root { color-scheme: light dark; --line: #2563eb; --quiet: #6b7280; --rule: #d4d4d8; --good: #15803d; --bad: #b91c1c;
  --ground: #fff; --text: #18181b }
@media (prefers-color-scheme: dark) { :root { --line: #60a5fa; --quiet: #a1a1aa; --rule: #3f3f46; --good: #4ade80;
  --bad: #f87171; --ground: #18181b; --text: #f4f4f5 } }
body { background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem;
  padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--rule); padding-top: 1rem }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }
th, td { border-bottom: 1px solid var(--rule); padding: .3rem .6rem; text-align: right; white-space: nowrap }
section .wide { max-width: 46rem } td:has(.bar) { text-align: left }
th:first-child, td:first-child, td.text, th.text { text-align: left } th { font-weight: 600 }
a { color: inherit } .good { color: var(--good) } .bad { color: var(--bad) } .quiet { color: var(--quiet) }
svg { display: block; max-width: 46rem; width: 100% } svg text { fill: var(--quiet); font-size: 11px }
.curve { fill: none; stroke: var(--line); stroke-width: 2 } .start { stroke: var(--quiet); stroke-dasharray: 4 4 }
.frame { stroke: var(--rule) } .bar { background: var(--line); display: inline-block; height: .6rem; min-width: 1px }
summary { cursor: pointer; margin-top: .5rem }
"""


def page(result: dict[str, Any]) -> str:
    """Returns the page of a document that `engine.replay.result.document` made. Every text of the tape is escaped."""
    tape, bots = result["tape"], sorted(result["bots"].items(), key=_by_return)
    copied = result["copied"] if isinstance(result["copied"], str) else f"{len(result['copied'])} wallets"
    facts = (
        f"{tape['trades']:,} trades of {tape['wallets']:,} wallets in {tape['markets']:,} markets, "
        f"{time_text(tape['began_ms'])} to {time_text(tape['ended_ms'])}. Copied: {copied}. Seed {result['seed']}."
    )
    lost = tape["skipped_lines"] + tape["malformed"] + tape["undecided"]
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Replay of {tape['trades']:,} trades</title><style>{STYLE}</style></head><body>",
            f"<h1>What {len(bots)} strategies would have done</h1><p>{escape(facts)}</p>",
            f"<p class=bad>{lost:,} lines or trades could not be used.</p>" if lost else "",
            f'<p class="quiet">{LIMITS}</p>',
            _standings(bots),
            *(_bot(place, name, bot) for place, (name, bot) in enumerate(bots, 1)),
            "</body></html>\n",
        ]
    )


def _by_return(one: tuple[str, dict[str, Any]]) -> tuple[Decimal, str]:
    return -Decimal(one[1]["figures"]["return_pct"]), one[0]


def _standings(bots: Sequence[tuple[str, dict[str, Any]]]) -> str:
    rows = []
    for place, (name, bot) in enumerate(bots, 1):
        one = bot["figures"]
        cells = (
            f'<a href="#bot-{place}">{escape(name)}</a>',
            signed(one["return_pct"], " %"),
            signed(one["total_pnl"]),
            signed(one["realized_pnl"]),
            *(f"{one[key]:,}" for key in ("orders", "open_orders", "sold")),
            f"{one['won']:,} / {one['lost']:,}",
        )
        rows.append(row_of(cells))
    heads = ("bot", "return", "total, USD", "realised, USD", "orders", "unsettled", "sold", "won / lost")
    return table(heads, rows)


def _bot(place: int, name: str, bot: dict[str, Any]) -> str:
    figures = "".join(row_of((escape(key.replace("_", " ")), cell(value))) for key, value in bot["figures"].items())
    most = max(bot["reasons"].values(), default=1)
    reasons = [
        row_of((escape(reason), f"{count:,}", f'<span class=bar style="width:{12 * count / most:.2f}rem"></span>'))
        for reason, count in sorted(bot["reasons"].items(), key=lambda one: (-one[1], one[0]))
    ]
    return "".join(
        [
            f'<section><h2 id="bot-{place}">{escape(name)}</h2>',
            chart(bot["equity"]),
            table(("reason", "trades", ""), reasons) if reasons else "<p class=quiet>It was offered no trade.</p>",
            f"<details><summary>Figures</summary>{table(('figure', 'value'), [figures])}</details>",
            _orders(bot["orders"]),
            "</section>",
        ]
    )


def _orders(orders: Sequence[dict[str, Any]]) -> str:
    if not orders:
        return ""
    rows = [
        row_of(
            (
                time_text(one["trade_ms"]),
                escape(one["market"] or one["token_id"]),
                escape(one["outcome"] or ""),
                cell(one["entry_price"]),
                cell(one["stake"]),
                escape(one["result"].lower()),
                signed(one["realized"]),
            )
        )
        for one in orders[:ORDERS_SHOWN]
    ]
    shown = f"the first {ORDERS_SHOWN} of {len(orders):,}" if len(orders) > ORDERS_SHOWN else f"{len(orders):,}"
    heads = ("trade", "market", "outcome", "price", "stake, USD", "result", "realised, USD")
    return f"<details><summary>Orders ({shown})</summary>{table(heads, rows)}</details>"


def chart(points: Sequence[tuple[int, str]]) -> str:
    """Returns an SVG of equity in USD over time, with a dashed line where it began."""
    values = [Decimal(usd) for _, usd in points]
    start, low, high = values[0], min(values), max(values)
    first_ms, last_ms = points[0][0], points[-1][0]
    # Never less than a cent high, so that a bot that did nothing has a flat line and not noise.
    height_usd, width_ms = max(high - low, Decimal("0.01")), max(last_ms - first_ms, 1)

    def x(at_ms: int) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * (at_ms - first_ms) / width_ms:.1f}"

    def y(usd: Decimal) -> str:
        return f"{TOP + (HEIGHT - TOP - BOTTOM) * float((high - usd) / height_usd):.1f}"

    line = " ".join(f"{x(at_ms)},{y(usd)}" for (at_ms, _), usd in zip(points, values, strict=True))
    foot = HEIGHT - BOTTOM
    labels = [(high, y(high))] if high == low else [(high, y(high)), (low, y(low))]
    return "".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>Equity from {values[0]:,.2f} to {values[-1]:,.2f} USD</title>",
            f'<line class="frame" x1="{LEFT}" y1="{foot}" x2="{WIDTH - RIGHT}" y2="{foot}"/>',
            f'<line class="start" x1="{LEFT}" y1="{y(start)}" x2="{WIDTH - RIGHT}" y2="{y(start)}"/>',
            f'<polyline class="curve" points="{line}"/>',
            *(f'<text x="{LEFT - 6}" y="{at}" dy="4" text-anchor="end">{usd:,.2f}</text>' for usd, at in labels),
            f'<text x="{LEFT}" y="{HEIGHT - 8}">{time_text(first_ms)}</text>',
            f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{time_text(last_ms)}</text></svg>',
        ]
    )


def table(heads: Sequence[str], rows: Sequence[str]) -> str:
    """Returns a table of rows that are HTML already, under headings that are text."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def row_of(cells: Sequence[str]) -> str:
    """Returns a row of cells that are HTML already."""
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def cell(value: object) -> str:
    """Returns a value as text; a dash for None."""
    return "–" if value is None else escape(str(value))


def signed(number: str | Decimal, unit: str = "") -> str:
    """Returns a number with its sign and two decimals, in the colour of gain or loss."""
    value = round(Decimal(number), 2)
    kind = "good" if value > 0 else "bad" if value < 0 else "quiet"
    return f"<span class={kind}>{format(value, '+,.2f' if value else ',.2f')}{unit}</span>"


def time_text(ms: int) -> str:
    """Returns a time in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
