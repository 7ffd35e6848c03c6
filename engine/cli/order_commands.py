"""`polycopy orders place`, `dry-run`, `copy`, `cancel`, `cancel-all`, `status`: orders by hand, by the running engine."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from config.schema import EngineConfig
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.why_store import PostgresWhyStore
from engine.adapters.system_clock import process_owner_id
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.engine_api import EngineApi, UnansweredError, token_option, with_engine
from engine.cli.live_access import ask, usd_amount, yes_option
from engine.cli.main import Settings
from engine.cli.order_placing import EXIT_UNKNOWN, PATH, Placing, dry_run, echo_order, exit_code
from engine.cli.order_placing import place as place_order
from engine.cli.terminal import plain
from protocols.live.orders import OrderType, Side
from protocols.venue.order_amounts import price_on_tick
from protocols.why import StoredTrade

Command = Callable[..., None]
WAIT_S = 15.0

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_account = click.option("--account", required=True, help="Name in live.accounts of the configuration.")
_key = click.option("--key", help="8 to 64 letters, digits, - and _: the same one again places nothing twice.")
_wait = click.option(
    "--wait-s",
    type=click.FloatRange(0, 600),
    default=WAIT_S,
    show_default=True,
    help="How long its fate is waited for.",
)


def _order_options(command: Command) -> Command:
    for option in (
        click.option("--expires-in-s", type=click.IntRange(1), help="Of GTD: seconds from now, at least 180."),
        click.option("--outcome", help="Name of the outcome, kept with the order."),
        click.option("--type", "order_type", type=click.Choice([one.value for one in OrderType]), default="FAK",
                     show_default=True, help="FAK takes what is there; GTC and GTD rest in the book."),
        click.option("--usd", help="How much a BUY spends."),
        click.option("--shares", help="How many shares."),
        click.option("--price", required=True, help="The most that a BUY pays, the least that a SELL takes."),
        click.option("--market", required=True, help="Condition id, 0x…"),
        click.option("--token", required=True, help="Token id of the outcome."),
        click.option("--side", type=click.Choice([one.value for one in Side]), required=True),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_order_options
@_account
@_key
@_wait
@yes_option
@token_option
@_json
@click.pass_obj
def place(settings: Settings, /, **options: Any) -> None:
    """Place an order with real money, once for its key, and wait for its fate.

    Ends with 1 when it failed, with 3 when nobody knows yet whether the venue has it.
    """
    body = _body(options)
    place_order(settings.load(), body, _placing(options))


@click.command("dry-run")
@_order_options
@_account
@token_option
@_json
@click.pass_obj
def try_order(settings: Settings, /, **options: Any) -> None:
    """Price, round and sign an order, and send nothing."""
    dry_run(settings.load(), _body({**options, "key": None}), options["token_file"], options["as_json"])


@click.command("copy")
@click.argument("trade_id")
@click.option("--usd", required=True, help="How much it spends, before the fee.")
@click.option(
    "--slippage-pct", default="3", show_default=True, help="How much more than the trader it may pay a share."
)
@click.option("--auto-close", is_flag=True, help="Sell with the trader: all that the account has of him in the token.")
@_account
@_key
@_wait
@yes_option
@token_option
@_json
@click.pass_obj
def copy_trade(
    settings: Settings, /, trade_id: str, usd: str, slippage_pct: str, auto_close: bool, **options: Any
) -> None:
    """Copy the stored BUY TRADE_ID: takes at once what there is up to its price and slippage (FAK)."""
    config, slippage = settings.load(), _decimal("--slippage-pct", slippage_pct)
    if not 0 <= slippage <= 100:
        raise click.BadParameter("must be from 0 to 100", param_hint="--slippage-pct")
    trade = _stored(config, trade_id)
    if trade.side != Side.BUY:
        raise click.BadParameter("is a SELL; only a BUY can be copied by hand", param_hint="TRADE_ID")
    limit = with_engine(config, options["token_file"], lambda api: _limit(api, trade, slippage))
    body = _body({
        "key": options["key"], "account": options["account"], "side": "BUY", "token": trade.token_id,
        "market": trade.condition_id, "price": format(limit, "f"), "usd": usd, "shares": None, "order_type": "FAK",
        "outcome": trade.outcome, "expires_in_s": None,
    })  # fmt: skip
    place_order(config, {**body, "copiedTrader": trade.trader, "autoClose": auto_close}, _placing(options))


@click.command()
@click.argument("order_id")
@token_option
@_json
@click.pass_obj
def status(settings: Settings, order_id: str, token_file: str | None, as_json: bool) -> None:
    """Tell how an order stands. Ends with 1 when it failed, with 3 while nobody knows whether the venue has it."""

    async def work(api: EngineApi) -> Any:
        await api.require_trading()
        return await api.get(f"{PATH}/{order_id}/status")

    answer = with_engine(settings.load(), token_file, work)
    echo_order(answer, as_json=as_json)
    raise SystemExit(exit_code(answer))


@click.command()
@click.argument("order_id")
@token_option
@_json
@click.pass_obj
def cancel(settings: Settings, order_id: str, token_file: str | None, as_json: bool) -> None:
    """Cancel an order. What was filled before stays filled: `polycopy orders status` tells."""
    _cancel(settings, token_file, as_json, "cancel", {"orderId": order_id})


@click.command("cancel-all")
@_account
@yes_option
@token_option
@_json
@click.pass_obj
def cancel_all(settings: Settings, account: str, yes: bool, token_file: str | None, as_json: bool) -> None:
    """Cancel all orders by hand of an account; those of strategies go on."""
    ask(yes, f"Cancel all orders by hand of {account}?")
    _cancel(settings, token_file, as_json, "cancel-all", {"account": account})


COMMANDS = (place, try_order, copy_trade, status, cancel, cancel_all)
"""What `polycopy orders` has of them."""


def _cancel(settings: Settings, token_file: str | None, as_json: bool, what: str, body: Mapping[str, Any]) -> None:
    async def work(api: EngineApi) -> tuple[Any, str]:
        await api.require_trading()
        try:
            return (await api.post(f"{PATH}/{what}", body))[1], ""
        except UnansweredError as error:
            return None, str(error)

    answer, trouble = with_engine(settings.load(), token_file, work)
    if answer is None:
        click.echo(f"Unknown: {trouble}. Cancelling again is harmless.", err=True)
        raise SystemExit(EXIT_UNKNOWN)
    refused: Mapping[str, str] = answer["refused"]
    if as_json:
        click.echo(json.dumps(answer))
    else:
        click.echo(f"{answer['asked'] - len(refused)} of {answer['asked']} cancelled")
        for order_id, why in refused.items():
            click.echo(f"{order_id} was not: {plain(why)}", err=True)
    raise SystemExit(1 if refused else 0)


def _placing(options: Mapping[str, Any]) -> Placing:
    return Placing(
        token_file=options["token_file"],
        wait_s=options["wait_s"],
        as_json=options["as_json"],
        yes=options["yes"],
        key_is_given=options["key"] is not None,
    )


def _body(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the request of an order. Raises the error of a command for what cannot be one."""
    if (options["shares"] is None) == (options["usd"] is None):
        raise click.UsageError("say either --shares or --usd")
    in_usd = options["usd"] is not None
    if in_usd and options["side"] == Side.SELL:
        raise click.UsageError("--usd goes with BUY; a SELL is in --shares")
    if (options["order_type"] == OrderType.GTD) != (options["expires_in_s"] is not None):
        raise click.UsageError("--expires-in-s goes with --type GTD, which needs it")
    amount = usd_amount(options["usd"]) if in_usd else _decimal("--shares", options["shares"])
    body = {
        "orderIntentId": options["key"] or f"cli-{process_owner_id()}",
        "account": options["account"],
        "conditionId": options["market"],
        "tokenId": options["token"],
        "side": options["side"],
        "price": format(_decimal("--price", options["price"]), "f"),
        "amount": format(amount, "f"),
        "inputMode": "usd" if in_usd else "shares",
        "orderType": options["order_type"],
        "outcome": options["outcome"],
    }
    return body if options["expires_in_s"] is None else {**body, "expiresInS": options["expires_in_s"]}


def _decimal(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) > 10**9:
        raise click.BadParameter(f"{plain(text)!r} is no number", param_hint=name)
    return value


def _stored(config: EngineConfig, trade_id: str) -> StoredTrade:
    async def read(database: OpenDatabase) -> StoredTrade | None:
        async with open_connection(database.options, "copy") as connection:
            facts = await PostgresWhyStore(connection).facts(trade_id, None)
            return None if facts is None else facts.trade

    trade = run_command(lambda: with_database(config, read, prepare=True))
    if trade is None:
        raise click.BadParameter(f"there is no stored trade {plain(trade_id)!r}", param_hint="TRADE_ID")
    return trade


async def _limit(api: EngineApi, trade: StoredTrade, slippage_pct: Decimal) -> Decimal:
    """Returns the trader's price and the slippage on it, on a tick of the market."""
    await api.require_trading()
    tick = (await api.get("/api/polymarket/book", token=trade.token_id))["book"]["tickSize"]
    step = Decimal("0.01") if tick is None else Decimal(tick)
    wanted = min(1 - step, trade.price * (100 + slippage_pct) / 100)
    limit = wanted if tick is None else price_on_tick(wanted, step, up=False)
    if limit <= 0:
        raise click.ClickException(f"{wanted} is below the least price of this market, {tick}")
    return limit
