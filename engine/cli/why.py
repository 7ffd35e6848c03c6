"""`polycopy why`: what strategies did with a trade, and every gate that they looked at."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import click

from actors.rules.strategy.why import why as told
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.postgres.why_store import PostgresWhyStore
from engine.api.answer import encode
from engine.cli.bot_access import named
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.figures import moment_text
from engine.cli.main import Settings
from engine.cli.terminal import plain, table_lines
from protocols.why import CloseWhy, GateWhy, LiveOrderWhy, OrderWhy, PartWhy, Why, WhyFacts


@click.command()
@click.argument("trade_id")
@click.option("--bot", metavar="NAME", help="Only this strategy, with every gate: value and limit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def why(settings: Settings, trade_id: str, bot: str | None, as_json: bool) -> None:
    """Tell what strategies did with the stored trade TRADE_ID, and why; also when nobody decided about it."""

    async def read(database: OpenDatabase) -> WhyFacts | None:
        async with open_connection(database.options, "why") as connection:
            if bot is not None:
                await named(StrategyStore(connection), bot)
            return await PostgresWhyStore(connection).facts(trade_id, bot)

    config = settings.load()
    facts = run_command(lambda: with_database(config, read, prepare=True))
    if facts is None:
        raise click.ClickException(f"there is no stored trade {plain(trade_id)!r}")
    answer = told(facts, owner_id=None, bot=bot)
    click.echo(encode(answer).decode() if as_json else "\n".join(why_lines(answer, bot)))


def why_lines(answer: Why, bot: str | None) -> Iterator[str]:
    """Returns the answer as lines for a terminal; with `bot` only what that strategy did."""
    what = f"{_number(answer.size)} of {plain(answer.outcome or '?')} at {_number(answer.price)}"
    yield f"{answer.side} {what}: {plain(answer.title or '?')}"
    yield f"by {answer.trader}, {moment_text(answer.trade_time)}, lane {answer.lane}, trade {plain(answer.trade_id)}"
    yield answer.conclusion
    yield from _results(answer.parts, bot)
    if bot is not None:
        yield from _gates(answer.parts, bot)
    yield from _orders([order for order in answer.orders if bot in (None, order.wallet_id)])
    closes = [close for order in answer.orders for close in order.closes]
    yield from _closes([close for close in [*closes, *answer.closes] if bot in (None, close.wallet_id)])
    yield from _live_orders([order for order in answer.live_orders if bot in (None, order.wallet_id)])


def _results(parts: Sequence[PartWhy], bot: str | None) -> Iterator[str]:
    rows = [
        (
            result.wallet_id or f"gone ({result.number})",
            f"v{result.version}",
            part.part,
            result.reason,
            "-" if result.bankroll is None else f"{result.bankroll:.2f}",
            moment_text(part.decided_at),
        )
        for part in parts
        for result in part.results
        if bot in (None, result.wallet_id)
    ]
    if rows:
        yield ""
        yield from table_lines(("bot", "", "part", "result", "bankroll USD", "decided"), rows, right={4})
    elif bot is not None:
        yield f"{bot} decided nothing about it."


def _gates(parts: Sequence[PartWhy], bot: str) -> Iterator[str]:
    for part in parts:
        for result in part.results:
            if result.wallet_id != bot:
                continue
            yield ""
            if result.gates is None:
                yield f"no gates: {plain(result.note or 'nothing is kept')}"
            else:
                yield from table_lines(("", "gate", "value", "limit"), [_gate(gate) for gate in result.gates])


def _gate(gate: GateWhy) -> tuple[str, str, str, str]:
    if not gate.is_on:
        return ("", gate.reason, gate.value or "-", "off")
    return ("ok" if gate.passed else "FAILS", gate.reason, gate.value or "-", gate.limit or "-")


def _orders(orders: Sequence[OrderWhy]) -> Iterator[str]:
    if orders:
        yield ""
        rows = [
            (
                order.wallet_id,
                f"{order.stake:.2f}",
                _number(order.shares),
                _number(order.entry_price),
                f"{order.fee:.2f}",
                order.outcome,
                f"{order.pnl:.2f}",
                moment_text(order.resolved_time),
            )
            for order in orders
        ]
        heads = ("order of", "stake USD", "shares", "price", "fee USD", "outcome", "pnl USD", "ended")
        yield from table_lines(heads, rows, right={1, 2, 3, 4, 6})


def _closes(closes: Sequence[CloseWhy]) -> Iterator[str]:
    if closes:
        yield ""
        rows = [
            (
                close.wallet_id,
                _number(close.shares),
                _number(close.price),
                f"{close.proceeds:.2f}",
                f"{close.pnl:.2f}",
                moment_text(close.trade_time),
                close.source_trade_id,
            )
            for close in closes
        ]
        heads = ("sale of", "shares", "price", "proceeds USD", "pnl USD", "at", "because of")
        yield from table_lines(heads, rows, right={1, 2, 3, 4})


def _live_orders(orders: Sequence[LiveOrderWhy]) -> Iterator[str]:
    """Real money: what became of each order, its fills, and how its paper twin fared."""
    for order in orders:
        yield ""
        what = f"{order.strategy_id}: {order.side} {order.status}{'' if order.ended else ', still working'}"
        yield what if order.reason is None else f"{what}, {plain(order.reason)}: {plain(order.detail or '')}"
        if order.order_hash is None:
            continue
        limit = "?" if order.limit_price is None else _number(order.limit_price)
        average = "nothing" if order.average_price is None else f"at {_number(round(order.average_price, 6))}"
        yield f"  order {order.order_hash}, limit {limit}, filled {_number(order.filled_shares)} {average}"
        rows = [
            (fill.trade_id, _number(fill.shares), _number(fill.price), _number(fill.fee), fill.role, fill.status)
            for fill in order.fills
        ]
        if rows:
            yield from table_lines(("  fill", "shares", "price", "fee USD", "", ""), rows, right={1, 2, 3})
        if order.paper_pnl is not None:
            diff = "" if order.performance_diff_pct is None else f" ({order.performance_diff_pct:+} %)"
            yield f"  realised {order.pnl:.2f} USD, its paper twin {order.paper_pnl:.2f}{diff}"


def _number(value: Decimal) -> str:
    """All digits, without an exponent."""
    return format(value.normalize(), "f")
