"""Places an order by hand through the running engine: shown, asked, placed once for its key, followed to its fate."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
import click
import trio

from config.schema import EngineConfig
from engine.cli.engine_api import ApiRefusedError, EngineApi, UnansweredError, with_engine
from engine.cli.engine_client import EngineUnreachableError
from engine.cli.terminal import plain

PATH = "/api/polymarket/orders"
LOOK_S = 0.25
EXIT_UNKNOWN = 3
"""Exit code: it was asked for, and nobody knows yet whether the venue has it."""
FAILED = frozenset({"REJECTED", "LOST"})
RESTING = frozenset({"GTC", "GTD"})


@attrs.frozen(kw_only=True)
class Placing:
    """How an order is placed."""

    token_file: str | None
    wait_s: float
    as_json: bool
    yes: bool
    key_is_given: bool


def place(config: EngineConfig, body: Mapping[str, Any], how: Placing) -> None:
    """Shows an order, asks, places it and prints what became of it; ends the command with 1 or `EXIT_UNKNOWN`."""
    if not how.yes:
        with_engine(config, how.token_file, lambda api: _show(api, body, how))
        click.confirm("Place this order with real money?", abort=True, err=True)
    key = body["orderIntentId"]
    # Before it is sent: whoever loses the answer needs it.
    click.echo(f"key {key}", err=True)
    answer, trouble = with_engine(config, how.token_file, lambda api: _place(api, body, how.wait_s))
    if answer is None:
        if how.as_json:
            click.echo(json.dumps({"key": key, "status": "unknown", "isKnown": False, "detail": trouble}))
        again = f"the same command with --key {key} places nothing twice and tells what became of it"
        click.echo(f"Unknown: {trouble}. Do not place another one: {again}.", err=True)
    else:
        echo_order(answer, as_json=how.as_json, key=key)
    raise SystemExit(placing_exit_code(answer, body["orderType"]))


def dry_run(config: EngineConfig, body: Mapping[str, Any], token_file: str | None, as_json: bool) -> None:
    """Has an order priced, rounded and signed, and prints what it would be."""

    async def work(api: EngineApi) -> dict[str, Any]:
        return await _dry_run(api, body)

    answer = with_engine(config, token_file, work)
    if as_json:
        click.echo(json.dumps(shown(answer)))
    else:
        click.echo(_figures(body, answer))
        click.echo("Nothing was sent.")


def echo_order(answer: Mapping[str, Any], *, as_json: bool, key: str | None = None) -> None:
    """Prints how an order stands."""
    if as_json:
        click.echo(json.dumps({**({} if key is None else {"key": key}), **shown(answer)}))
    else:
        click.echo("\n".join(order_lines(answer)))
    if not answer["isKnown"]:
        text = f"`polycopy orders status {answer['orderId']}` tells later. Do not place another one."
        click.echo(f"Nobody knows yet whether the venue has it: {text}", err=True)


def order_lines(answer: Mapping[str, Any]) -> list[str]:
    """Returns an order as lines for a terminal."""
    average = average_price(answer)
    state = f"{answer['status']}{'' if answer['ended'] else ' …'}"
    lines = [f"order {answer['orderId']}", f"status {state}"]
    of = "" if answer["sizeShares"] is None else f" of {_text(answer['sizeShares'])}"
    at = "" if average is None else f" at {_text(average)} on average"
    lines.append(f"filled {_text(answer['filledShares'])}{of} shares for {_text(answer['filledUsd'])} USD{at}")
    if answer["orderHash"] is not None:
        lines.append(f"hash {answer['orderHash']}")
    why = " ".join(plain(answer[name], 500) for name in ("reason", "detail") if answer[name])
    return [*lines, f"why {why}"] if why else lines


def average_price(answer: Mapping[str, Any]) -> Decimal | None:
    """Returns USD a share over all fills, to six decimals; None without any."""
    shares = Decimal(answer["filledShares"])
    return round(Decimal(answer["filledUsd"]) / shares, 6) if shares else None


def shown(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an order as JSON has it: decimals as texts, with the average price."""
    decimals = ("limitPrice", "sizeShares", "lockUsd", "filledShares", "filledUsd")
    texts = {name: None if answer[name] is None else _text(answer[name]) for name in decimals}
    average = average_price(answer)
    return {**answer, **texts, "averagePrice": None if average is None else _text(average)}


def exit_code(answer: Mapping[str, Any] | None) -> int:
    """Returns 0 for an order that the venue took, 1 for one that failed, `EXIT_UNKNOWN` while nobody knows."""
    if answer is None or not answer["isKnown"]:
        return EXIT_UNKNOWN
    return 1 if answer["status"] in FAILED else 0


def placing_exit_code(answer: Mapping[str, Any] | None, order_type: str) -> int:
    """Returns `exit_code`; an order that does not rest has failed also when it was cancelled with nothing filled."""
    code = exit_code(answer)
    killed = (
        answer is not None and order_type not in RESTING and answer["ended"] and not Decimal(answer["filledShares"])
    )
    return 1 if code == 0 and killed else code


async def _place(api: EngineApi, body: Mapping[str, Any], wait_s: float) -> tuple[dict[str, Any] | None, str]:
    """Returns how the order stands, or None and why nobody knows."""
    await api.require_trading()
    try:
        _, answer = await api.post(f"{PATH}/place", {**body, "confirm": True})
    except UnansweredError as error:
        return None, str(error)
    with trio.move_on_after(wait_s):
        while not _is_told(answer, body):
            await trio.sleep(LOOK_S)
            try:
                answer = await api.get(f"{PATH}/{answer['orderId']}/status")
            except (ApiRefusedError, EngineUnreachableError, UnansweredError):
                continue
    return dict(answer), ""


def _is_told(answer: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    return bool(answer["ended"] or (answer["isKnown"] and body["orderType"] in RESTING))


async def _dry_run(api: EngineApi, body: Mapping[str, Any]) -> dict[str, Any]:
    await api.require_trading()
    try:
        return dict((await api.post(f"{PATH}/dry-run", body))[1])
    except UnansweredError as error:
        raise ApiRefusedError(f"{error}; nothing was sent") from None


async def _show(api: EngineApi, body: Mapping[str, Any], how: Placing) -> None:
    try:
        click.echo(_figures(body, await _dry_run(api, body)), err=True)
    except ApiRefusedError as error:
        if not how.key_is_given:
            raise
        # Perhaps it was placed before, and can only be looked at now.
        click.echo(f"{_figures(body, None)}\nA new order would be refused: {error}", err=True)


def _figures(body: Mapping[str, Any], answer: Mapping[str, Any] | None) -> str:
    unit = "USD" if body["inputMode"] == "usd" else "shares"
    lines = [
        f"{body['side']} {body['amount']} {unit}, {body['orderType']}, at {body['price']} USD a share or better",
        f"account {body['account']}",
        f"market {body['conditionId']}",
        f"token {body['tokenId']}{' ' + plain(body['outcome']) if body.get('outcome') else ''}",
    ]
    if body.get("expiresInS") is not None:
        lines.append(f"expires in {body['expiresInS']} s")
    if body.get("copiedTrader"):
        lines.append(f"copies {body['copiedTrader']}")
    if answer is not None:
        most = f"; costs at most {_text(answer['lockUsd'])} USD with fee" if body["side"] == "BUY" else ""
        lines.append(f"signed as {_text(answer['sizeShares'])} shares at {_text(answer['limitPrice'])}{most}")
    return "\n".join(lines)


def _text(value: Any) -> str:
    number = Decimal(value)
    return format(number.normalize(), "f") if number else "0"
