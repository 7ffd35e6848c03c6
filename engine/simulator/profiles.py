"""Public profiles of wallets: names as strange as the real ones, and the two spellings of an address."""

from functools import lru_cache

import attrs

from engine.simulator.seeds import digest, fraction


def words(text: str) -> tuple[str, ...]:
    """Returns the words of a text."""
    return tuple(text.split())


_ADJECTIVES = words(
    "Rowdy Agitated Peppery Mealy Spicy Favorable Euphoric Naughty Adored Firm Glossy Hollow Juicy Quaint Shaky "
    "Tepid Unsung Vivid Wobbly Zesty Brisk Cranky Dapper Eager Frosty Grand Humble Icy Jolly Keen"
)
_NOUNS = words(
    "Tenement Bricklaying Capital Oar Neighbour Webinar Sick Company Disparity Lunchroom Antler Banker Cactus Dune "
    "Easel Ferry Gazebo Harbor Inlet Jacket Kettle Lagoon Marmot Nectar Orchid Parcel Quarry Rafter Saddle Tundra"
)
_HANDLES = (
    "late.harbor", "PPMT", "kioskwolf", "0xLantern", "mañana-kid", "Ωmega", "猫の手", "🐳 whale of a time", "Żubr",
    "trade-or-nap", "quiet_oracle", "Ñandú", "  spaced  ", "'; DROP TABLE traders;--", "🎲🎲🎲", "Великан", "زيتون",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Profile:
    """What the venue shows of a wallet beside its address."""

    name: str = ""
    pseudonym: str = ""
    bio: str = ""
    profile_image: str = ""


@lru_cache(maxsize=16_384)
def profile_of(wallet: str, seed: int) -> Profile:
    """Returns the profile that a wallet has in the world of `seed`."""
    draw = digest("profile", seed, wallet)
    pseudonym = f"{_ADJECTIVES[draw[0] % len(_ADJECTIVES)]}-{_NOUNS[draw[1] % len(_NOUNS)]}"
    if draw[2] < 90:
        name = ""
    elif draw[2] < 140:
        # Default names are the address and a number; some people write one with a letter O instead of a zero.
        first = "0x" if draw[3] % 8 else "Ox"
        name = (
            f"{first}{mixed_case(wallet)[2:]}-{1_700_000_000_000 + int.from_bytes(draw[4:9], 'big') % 90_000_000_000}"
        )
    elif draw[2] < 160:
        name = _HANDLES[draw[3] % len(_HANDLES)]
    else:
        name = f"{_ADJECTIVES[draw[3] % len(_ADJECTIVES)].lower()}{_NOUNS[draw[4] % len(_NOUNS)].lower()}{draw[5]}"
    image = f"https://polymarket-upload.s3.us-east-2.amazonaws.com/profile-image-{draw[6:9].hex()}.png"
    return Profile(
        name=name,
        pseudonym="" if draw[9] < 40 else pseudonym,
        bio="what is your plan" if draw[10] < 6 else "",
        profile_image=image if draw[11] < 50 else "",
    )


@lru_cache(maxsize=16_384)
def mixed_case(address: str) -> str:
    """Returns an address in mixed case, as RTDS writes it; the Data API writes lower case (venue.md §1.2).

    The pattern is a hash like that of a checksummed address but not the true checksum, on which no reader may rely.
    """
    lower = address.lower()
    pattern = digest("case", lower)
    digits = (
        digit.upper() if pattern[place % 32] & 0x80 else digit for place, digit in enumerate(lower.removeprefix("0x"))
    )
    return "0x" + "".join(digits)


def shown_outcome_index(index: int, transaction_hash: str, wallet: str) -> int:
    """Returns the index that a row shows: 999 on about 2 % of ordinary trades (venue.md §1.2)."""
    return 999 if fraction("index", transaction_hash, wallet) < 0.02 else index
