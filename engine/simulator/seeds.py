"""Generators derived from one seed, one per purpose, so that a new draw in one part never changes another part."""

import hashlib

from engine.adapters.system_clock import system_random
from protocols.clock import Random


def generator(seed: int, purpose: str) -> Random:
    """Returns the generator of `purpose`; equal arguments give equal sequences on every machine."""
    rng = system_random()
    rng.seed(f"{seed}:{purpose}")
    return rng


def digest(*parts: object) -> bytes:
    """Returns 32 bytes that depend on nothing but `parts`."""
    return hashlib.sha256("|".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()


def fraction(*parts: object) -> float:
    """Returns a number in [0, 1) that depends on nothing but `parts`."""
    return int.from_bytes(digest(*parts)[:6], "big") / (1 << 48)


def hash_hex(rng: Random, bits: int = 256) -> str:
    """Returns a fresh identifier such as a transaction hash: ``0x`` and `bits` / 4 hex digits."""
    return f"0x{rng.getrandbits(bits):0{bits // 4}x}"
