"""Scores in a file: a probability for a trade, or for a wallet in a token. JSON lines or CSV."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs

from protocols.amounts import decimal_from
from protocols.decisions import Absent, Inputs, Present, Score
from protocols.errors import MalformedError, RejectedError
from protocols.venue.strict_json import read_object

ROWS_MAX = 2_000_000
_FIELDS = frozenset({"trade_id", "wallet", "token", "probability"})
Key = tuple[str, str]
"""(trade id, "") or (wallet, token)"""


@attrs.define(eq=False)
class ScoreTable:
    """Probabilities of trades, 0 to 1."""

    probabilities: dict[Key, Decimal] = attrs.field(factory=dict)

    def score(self, inputs: Inputs) -> Score:
        """Returns what is said of the trade itself, else of its wallet and token."""
        found = self.probabilities.get((inputs.trade_id, ""))
        if found is None:
            found = self.probabilities.get((inputs.wallet, inputs.token_id))
        return Absent(reason="unknown_trade") if found is None else Present(probability=found)


def read_scores(text: str, *, is_csv: bool) -> ScoreTable:
    """Returns the table of a file: rows of `probability` and either `trade_id`, or `wallet` and `token`.

    Raises `RejectedError` naming the line, for a row that makes no sense or contradicts an earlier one.
    """
    table = ScoreTable()
    for line, fields in _csv_rows(text) if is_csv else _json_rows(text):
        try:
            key, probability = _entry(fields)
        except MalformedError as error:
            raise RejectedError(f"line {line}: {error}") from None
        if table.probabilities.setdefault(key, probability) != probability:
            raise RejectedError(f"line {line}: another probability than before for the same trade")
        if len(table.probabilities) > ROWS_MAX:
            raise RejectedError(f"line {line}: more than {ROWS_MAX} scores")
    return table


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, row in enumerate(text.splitlines(), start=1):
        if row.strip():
            try:
                yield line, read_object(row)
            except MalformedError as error:
                raise RejectedError(f"line {line}: {error}") from None


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines(), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise RejectedError(f"line {reader.line_num}: not as many columns as the first line")
            yield reader.line_num, {name: value for name, value in row.items() if value != ""}
    except csv.Error as error:
        raise RejectedError(f"line {reader.reader.line_num}: {error}") from None


def _entry(fields: dict[str, Any]) -> tuple[Key, Decimal]:
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise MalformedError("unknown_field", str(unknown[0])[:40])
    probability = decimal_from(fields.get("probability"), "probability")
    if not 0 <= probability <= 1:
        raise MalformedError("probability", "not from 0 to 1")
    trade_id, wallet, token = fields.get("trade_id"), fields.get("wallet"), fields.get("token")
    if isinstance(trade_id, str) and trade_id and wallet is None and token is None:
        return (trade_id, ""), probability
    if trade_id is None and isinstance(wallet, str) and wallet and isinstance(token, str) and token:
        return (wallet.lower(), token), probability
    raise MalformedError("key", "either trade_id, or wallet and token as texts")
