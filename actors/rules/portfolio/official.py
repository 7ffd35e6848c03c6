"""Our result of a token beside the venue's, with what may explain the difference. Neither replaces the other (D79)."""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from actors.rules.portfolio.matching import MICRO, Position
from protocols.portfolio import OfficialResult

AGREES_USD = MICRO // 100
"""Up to a cent is rounding."""
AGREES_SHARES = MICRO // 100
FEES = "fees"
OUTSIDE = "fills outside the engine"
NOT_REDEEMED = "not redeemed yet"
NOT_SYNCED = "not synced since"
UNEXPLAINED = "unexplained"


@attrs.frozen(kw_only=True)
class Comparison:
    """One token over all scopes, micro-USD."""

    token_id: str
    ours: int
    official: int
    positions: int
    """Of ours that the venue's one number is about."""
    reasons: tuple[str, ...]
    """Why they may differ; empty when they agree to the cent."""
    synced_us: int

    @property
    def difference(self) -> int:
        """Returns ours less the venue's."""
        return self.ours - self.official


def compared(positions: Iterable[Position], official: Mapping[str, OfficialResult]) -> dict[str, Comparison]:
    """Returns each token that both know, once, however many orders and scopes it has."""
    by_token: dict[str, list[Position]] = {}
    for position in positions:
        if position.token_id in official:
            by_token.setdefault(position.token_id, []).append(position)
    return {token_id: _one(official[token_id], held) for token_id, held in by_token.items()}


def _one(said: OfficialResult, held: Sequence[Position]) -> Comparison:
    ours = sum(one.realized for one in held)
    official = int(said.realized_pnl.scaleb(6).to_integral_value())
    reasons = () if abs(ours - official) < AGREES_USD else _reasons(said, held, ours - official)
    return Comparison(
        token_id=said.token_id, ours=ours, official=official, positions=len(held), reasons=reasons,
        synced_us=said.synced_us,
    )  # fmt: skip


def _reasons(said: OfficialResult, held: Sequence[Position], difference: int) -> tuple[str, ...]:
    reasons = []
    if any(one.fees for one in held):
        # The venue's result is that of prices alone.
        reasons.append(FEES)
    bought = sum(one.bought_shares for one in held)
    known = said.bought_shares
    sold_elsewhere = any(one.unmatched_shares for one in held)
    if sold_elsewhere or (known is not None and abs(int(known.scaleb(6)) - bought) > AGREES_SHARES):
        reasons.append(OUTSIDE)
    settled = sum(one.settled_pnl for one in held)
    if any(one.settled_shares for one in held) and (said.is_held or abs(difference - settled) < abs(difference)):
        # The venue counts a payout when it is redeemed.
        reasons.append(NOT_REDEEMED)
    if any(one.last_us > said.synced_us for one in held):
        reasons.append(NOT_SYNCED)
    return tuple(reasons) or (UNEXPLAINED,)
