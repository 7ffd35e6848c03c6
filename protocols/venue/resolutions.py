"""Resolutions of the Data API (venue.md §3.2, §5.1): what a market pays, in micro-USD a share, by outcome index."""

from collections.abc import Mapping
from typing import Any

import msgspec

from protocols.errors import MalformedError, TransientError
from protocols.trades import canonical_condition_id
from protocols.venue.strict_json import decode_answer

RESOLUTIONS_PER_CALL_MAX = 20
_OUTCOMES_MAX = 256


class _Page(msgspec.Struct):
    data: list[Any]


_decode_page = msgspec.json.Decoder(_Page).decode


def decode_resolutions(body: bytes) -> Mapping[str, tuple[int, ...] | None]:
    """Returns payouts by condition id; None for a market that is not resolved, or whose row states no payouts.

    A market may have several rows, one of which has payouts; two that contradict each other say nothing. Raises
    `TransientError` when the body is no list of rows.
    """
    said: dict[str, set[tuple[int, ...]]] = {}
    for row in decode_answer(_decode_page, body, "/v2/resolutions").data:
        if not isinstance(row, dict) or not isinstance(row.get("condition_id"), str):
            raise TransientError("/v2/resolutions answered rows without condition_id")
        try:
            condition_id = canonical_condition_id(row["condition_id"])
        except MalformedError:
            continue
        payouts = said.setdefault(condition_id, set())
        if (found := _payouts(row)) is not None:
            payouts.add(found)
    return {id_: next(iter(payouts)) if len(payouts) == 1 else None for id_, payouts in said.items()}


def _payouts(row: Mapping[str, Any]) -> tuple[int, ...] | None:
    payouts = row.get("payouts")
    if row.get("status") != "resolved" or not isinstance(payouts, list) or not 0 < len(payouts) <= _OUTCOMES_MAX:
        return None
    if not all(type(payout) is int and payout >= 0 for payout in payouts):
        return None
    return tuple(payouts)
