"""Token buckets of each signer, one for orders and one for cancels (venue.md §6)."""

import math
from collections.abc import Mapping

import attrs

TIERS: Mapping[str, tuple[int, int, int, int]] = {
    "standard": (40, 60, 80, 120),
    "copper": (60, 90, 120, 180),
    "bronze": (80, 120, 160, 240),
    "silver": (200, 300, 400, 600),
    "gold": (400, 600, 800, 1200),
    "platinum": (450, 675, 900, 1350),
    "diamond": (525, 787, 1050, 1575),
    "elite": (600, 900, 1200, 1800),
}
"""Orders a second and at once, cancels a second and at once."""
_MAY_OWE = frozenset({"standard", "copper", "bronze", "silver", "gold"})


@attrs.define
class _Bucket:
    rate: int
    burst: int
    tokens: float
    at_ms: int

    def refill(self, now_ms: int) -> None:
        passed_s = max(0, now_ms - self.at_ms) / 1000
        self.tokens = min(self.burst, self.tokens + passed_s * self.rate)
        self.at_ms = max(now_ms, self.at_ms)

    def wait_s(self, cost: float) -> float:
        return max(0.0, (cost - self.tokens) / self.rate)


@attrs.frozen
class Admission:
    """Whether a request may pass, and what its answer says of the bucket."""

    admitted: bool
    retry_after_s: int
    headers: Mapping[str, str]


class SignerBuckets:
    """Every signer's buckets; all of one tier."""

    def __init__(self, tier: str = "standard") -> None:
        self.tier = tier
        """A key of `TIERS`; changing it fills all buckets anew."""
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def spend(self, signer: str, kind: str, cost: int, now_ms: int) -> Admission:
        """Takes tokens of `orders` or `cancels` when there are enough; all or nothing.

        A cancel's cost may exceed what is left in the lower tiers, whose balance then is negative.
        """
        bucket = self._bucket(signer, kind, now_ms)
        may_owe = kind == "cancels" and self.tier in _MAY_OWE
        admitted = bucket.tokens >= (min(1, cost) if may_owe else cost)
        wait_s = 0.0 if admitted else bucket.wait_s(1 if may_owe else cost)
        if admitted:
            bucket.tokens -= cost
        retry_after_s = max(1, math.ceil(wait_s)) if not admitted else 0
        headers = {
            "Poly-RateLimit-Remaining": str(math.floor(bucket.tokens)),
            "Poly-RateLimit-Reset": str(math.ceil(now_ms / 1000 + bucket.wait_s(bucket.burst))),
            "Poly-RateLimit-Tier": self.tier,
        }
        if not admitted:
            headers["Retry-After"] = str(retry_after_s)
        return Admission(admitted, retry_after_s, headers)

    def _bucket(self, signer: str, kind: str, now_ms: int) -> _Bucket:
        key = (signer, kind, self.tier)
        bucket = self._buckets.get(key)
        if bucket is None:
            rates = TIERS[self.tier]
            rate, burst = rates[:2] if kind == "orders" else rates[2:]
            bucket = self._buckets[key] = _Bucket(rate, burst, burst, now_ms)
        bucket.refill(now_ms)
        return bucket
