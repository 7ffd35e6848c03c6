"""The tables of actors/rules/strategy/README.md, read back into settings and trades."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
from actors_strategy.judged_trades import NOW_MS, OPEN_TO_ALL, TRADE, market, record
from property.made_trades import wallet

import actors.rules.strategy
from actors.rules.strategy.stands import stand_of
from config.strategy_settings import settings_from
from protocols.conflicts import Crowd, Side, Stand
from protocols.decisions import Absent, Inputs, Present
from protocols.paper import OpenOrder
from protocols.strategies import StrategySettings

TOKENS = {"Lakers": "1", "Celtics": "2"}
PAGE = Path(actors.rules.strategy.__file__).with_name("README.md")


def rows_under(heading: str, page: Path = PAGE) -> list[list[str]]:
    """Returns the rows of the first table under a heading, without its own two head lines."""
    text = page.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def settings_in(cell: str) -> StrategySettings:
    """`price_min=0.2`, `price_max=0.4` over settings in which every other gate is off."""
    document = dict(pair.split("=", 1) for pair in re.findall(r"`([^`]+)`", cell))
    return settings_from(document, OPEN_TO_ALL)


def trade_in(cell: str):
    """The trade of the page, with what a cell such as `price 0.5, win rate 0.55` changes."""
    made, market_changes, record_changes = TRADE, {}, {}
    for part in () if cell == "the trade" else cell.split(", "):
        name, _, value = part.rpartition(" ") if not part.startswith("title ") else ("title", " ", part[6:])
        match name:
            case "price":
                made = msgspec.structs.replace(made, price=Decimal(value))
            case "shares":
                made = msgspec.structs.replace(made, size_micro=int(Decimal(value) * 1_000_000))
            case "age in s":
                made = msgspec.structs.replace(made, trade_ms=NOW_MS - int(value) * 1000)
            case "model":
                score = Absent(reason="timeout") if value == "absent" else Present(probability=Decimal(value))
                made = msgspec.structs.replace(made, score=score)
            case "side":
                made = msgspec.structs.replace(made, side=value)
            case "trader's portfolio":
                made = msgspec.structs.replace(made, portfolio_usd=None if value == "unknown" else Decimal(value))
            case "win rate":
                record_changes["win_rate"] = Decimal(value)
            case "resolved":
                record_changes["resolved_count"] = int(value)
            case "average":
                record_changes["avg_trade_usd"] = Decimal(value)
            case "title" | "structure":
                market_changes[name] = value
            case "game starts in s":
                market_changes["game_start_ms"] = NOW_MS + int(value) * 1000
            case _:
                raise ValueError(part)
    changed = msgspec.structs.replace(made, trader=record(**record_changes))
    return changed if made.market is None else msgspec.structs.replace(changed, market=market(**market_changes))


def conflict_in(cell: str) -> tuple[Inputs, Stand]:
    """A purchase of Lakers, and what the strategy and its targets hold: `holds Celtics from B`, `USD on Lakers 4`."""
    orders: list[OpenOrder] = []
    sides: dict[str, Side] = {}
    for number, part in enumerate(re.sub("^(holds|targets|USD) ", "", cell).split(", ")):
        name, value = part.rsplit(" ", 1)
        if cell.startswith("holds"):
            token_id, trader = TOKENS[name.removesuffix(" from")], wallet(ord(value) - ord("A") + 1)
            orders.append(_open(number, trader=trader, token_id=token_id, cost=Decimal(1)))
        elif cell.startswith("open in the event"):
            orders.append(_open(number, trader=wallet(1), token_id="1", cost=Decimal(value)))
        else:
            token_id, amount = TOKENS[name.removeprefix("on ")], Decimal(value)
            targets, usd = (int(amount), 0) if cell.startswith("targets") else (0, int(amount * 1_000_000))
            sides[token_id] = Side(token_id=token_id, targets=targets, usd_micro=usd)
    inputs = msgspec.structs.replace(TRADE, crowds=(Crowd(sides=tuple(sides.values())),))
    return inputs, stand_of(orders, inputs, 0)


def _open(number: int, **changes: Any) -> OpenOrder:
    return OpenOrder(
        order_id=str(number), wallet_id="BOT", condition_id=TRADE.condition_id, trade_ms=NOW_MS, entry_price=Decimal("0.5"),
        shares=Decimal(2), **changes,
    )  # fmt: skip


def expected_row(field: "attrs.Attribute[object]", written: object) -> list[str]:
    """Returns what a row says of a setting: name, default, what is allowed, meaning."""
    default = "off" if written is None else "empty" if written in ("", []) else str(written).lower()
    return [f"`{field.name}`", default, field.metadata["allowed"], field.metadata["doc"]]
