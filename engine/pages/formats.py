"""How numbers and times are written for people. None is never written as 0."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from urllib.parse import quote

UNMARKED = "unmarked"
"""Of a value that nobody can tell just now."""
UNKNOWN = "–"
MINUS, THIN_SPACE = "\N{MINUS SIGN}", "\N{NARROW NO-BREAK SPACE}"
_CENT = Decimal("0.01")
Number = Decimal | int | None


def usd(value: Number, *, missing: str = UNMARKED) -> str:
    """Returns an amount in US dollars with cents, such as `1,234.50 USD` without the unit: tables name it once."""
    return missing if value is None else _grouped(Decimal(value).quantize(_CENT, ROUND_HALF_EVEN))


def signed_usd(value: Number, *, missing: str = UNMARKED) -> str:
    """Returns a gain or loss with its sign, nothing before zero."""
    if value is None:
        return missing
    rounded = Decimal(value).quantize(_CENT, ROUND_HALF_EVEN)
    return ("+" if rounded > 0 else "") + _grouped(rounded)


def cents(price: Number, *, missing: str = UNMARKED) -> str:
    """Returns the price of a share in cents, such as `26.3¢`, with as many decimals as its tick has."""
    if price is None:
        return missing
    value = (Decimal(price) * 100).normalize()
    exact = value if -value.as_tuple().exponent <= 2 else value.quantize(_CENT, ROUND_HALF_EVEN)  # type: ignore[operator]
    return f"{exact:f}¢"


def shares(value: Number, *, missing: str = UNKNOWN) -> str:
    """Returns a number of shares, at most two decimals."""
    if value is None:
        return missing
    rounded = Decimal(value).quantize(_CENT, ROUND_HALF_EVEN).normalize()
    return _grouped(rounded if rounded == rounded.to_integral_value() else rounded.quantize(_CENT))


def percent(value: Number, *, missing: str = UNKNOWN, decimals: int = 1) -> str:
    """Returns a share of 1 in per cent."""
    return missing if value is None else percent_of_100(Decimal(value) * 100, decimals=decimals)


def percent_of_100(value: Number, *, missing: str = UNKNOWN, decimals: int = 1) -> str:
    """Returns what is in per cent already."""
    if value is None:
        return missing
    return _grouped(Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)) + THIN_SPACE + "%"


def count(value: Number, *, missing: str = UNKNOWN) -> str:
    """Returns a whole number with its thousands apart."""
    return missing if value is None else _grouped(Decimal(int(value)))


def size_of_memory(value: Number, *, missing: str = UNKNOWN) -> str:
    """Returns bytes in the unit that fits, powers of 1,024."""
    if value is None:
        return missing
    amount = Decimal(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(amount) < 1_024 or unit == "GiB":
            break
        amount /= 1_024
    return f"{amount:.0f}{THIN_SPACE}{unit}" if unit == "B" or amount >= 100 else f"{amount:.1f}{THIN_SPACE}{unit}"


def seconds(value: Number, *, missing: str = UNKNOWN) -> str:
    """Returns a duration in the two largest units that it has, such as `3 h 5 min`."""
    if value is None:
        return missing
    whole = int(value)
    if whole < 1:
        return f"{Decimal(value) * 1000:.0f} ms" if 0 < Decimal(value) < 1 else "0 s"
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(index for index, (amount, _) in enumerate(parts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)


def ago(age_ms: int) -> str:
    """Returns how long something is past, or how far ahead, in one unit."""
    age_s, ahead = abs(age_ms) // 1000, age_ms < 0
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if age_s >= size:
            text = f"{age_s // size} {unit}"
            break
    else:
        text = f"{age_s} s"
    return f"in {text}" if ahead else f"{text} ago"


def exact_time(at_ms: int) -> str:
    """Returns a time to the second in UTC, such as `2026-07-23 18:03:09 UTC`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine_time(at_ms: int) -> str:
    """Returns a time for the attribute `datetime` of an element."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_ms(value: str | int | None) -> int | None:
    """Returns milliseconds since the epoch of a time as the API writes it."""
    if value is None or isinstance(value, int):
        return value
    return round(datetime.fromisoformat(value).timestamp() * 1000)


def short_wallet(wallet: str) -> str:
    """Returns the beginning and the end of an address."""
    return f"{wallet[:6]}…{wallet[-4:]}" if len(wallet) > 12 else wallet


def market_link(slug: str | None, event_slug: str | None) -> str | None:
    """Returns the address of a market at the venue; None when its name there is not known."""
    if not slug:
        return None
    parts = ["https://polymarket.com/event", *[quote(part, safe="") for part in (event_slug, slug) if part]]
    return "/".join(parts)


def tone(value: Number) -> str:
    """Returns the class of a gain or loss."""
    if value is None or value == 0:
        return "flat"
    return "gain" if value > 0 else "loss"


def _grouped(value: Decimal) -> str:
    if value == 0:
        value = abs(value)
    return f"{value:,f}".replace("-", MINUS)
