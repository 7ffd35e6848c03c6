"""The tables of engine/copyability/README.md: `python -m tests.bench.copyability_table [--quick]`.

No recorded tape has resolutions: none of the resolved markets in ../shared/data is traded on the held tapes. So the tables are
of the simulator's own tape over weeks, where nobody knows more than the price, with planted traders who do.
"""

import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from actors.rules.copyability.depth import DepthModel
from config.loader import load_config
from engine.copyability.copy_replay import Assumed, CopyTape, play
from engine.copyability.mirror import ladder_of
from engine.copyability.scoring import Scored, copyability_of
from protocols.copyability import Copyability

from .copyability_tapes import BEGAN_S, Tape, simulated, with_insiders

SIZE = Decimal(20)
DELAY_MS = 3_000
EDGES = (0.0, 0.03, 0.06, 0.10, 0.20, 0.40)
VARIED = 0.06
"""Edge of the trader who is tried with other parameters."""
BUSIEST = 40
CONFIG = load_config(environ={})


def main(*, quick: bool) -> None:
    """Prints the tables as Markdown."""
    logging.disable(logging.WARNING)
    tape = simulated(days=20 if quick else 60, matches_per_day=150 if quick else 300, wallets=60, markets=400, seed=11)
    tape, insiders = with_insiders(tape, EDGES, a_day=6, seed=12)
    busiest = [wallet for wallet, _ in Counter(row.wallet for row in tape.rows).most_common() if wallet not in insiders]
    print(f"{len(tape.rows):,} trades in {len(tape.resolutions):,} markets over {tape.seconds // 86_400} days\n")
    planted = scored(tape, list(insiders), assumed=Assumed(delay_ms=DELAY_MS))
    print(
        "| planted edge | copies | gross | delay | spread | depth | fees | net | 90 % interval | grade | capacity, USD |"
    )
    print("|" + "---|" * 11)
    for wallet, edge in insiders.items():
        print(f"| {edge:.0%} | {_cells(planted[wallet])} |")
    wallet = next(one for one, edge in insiders.items() if edge == VARIED)
    print(f"\nWhat the trader with an edge of {VARIED:.0%} comes to when a parameter is another:\n")
    print("| parameter | value | net return | capacity, USD |\n|---|---|---|---|")
    for name, value, assumed in variations():
        one = scored(tape, [wallet], assumed=assumed)[wallet]
        print(f"| {name} | {value} | {_percent(one.net_return)} | {one.capacity} {one.capacity_usd or ''} |")
    crowd = scored(tape, busiest[:BUSIEST], assumed=Assumed(delay_ms=DELAY_MS))
    grades = Counter(one.grade for one in crowd.values())
    enough = [one for one in crowd.values() if one.net_return is not None]
    print(f"\nThe {len(crowd)} busiest others, who know nothing: {dict(sorted(grades.items()))};", end=" ")
    print(
        f"mean net return {sum(one.net for one in enough) / sum(one.stake for one in enough):.1%} of {len(enough)} judged;"
    )
    flags = Counter(flag.name for one in crowd.values() for flag in one.flags)
    print(f"flags {dict(sorted(flags.items()))}")


def variations() -> list[tuple[str, object, Assumed]]:
    """Returns each parameter at its bounds, the others as they are."""
    found: list[tuple[str, object, Assumed]] = [("as assumed", "", Assumed(delay_ms=DELAY_MS))]
    found += [("delay_ms", delay_ms, Assumed(delay_ms=delay_ms)) for delay_ms in (500, 10_000, 60_000)]
    for name, values in (
        ("half_spread", ("0.0015", "0.015")),
        ("touch_usd", ("10", "300")),
        ("growth", ("1.4", "2.5")),
        ("activity_min", ("0.25", "1")),
        ("reference_usd", ("1000", "100000")),
    ):
        for value in values:
            model = attrs.evolve(DepthModel(), **{name: Decimal(value)})
            found.append((name, value, Assumed(delay_ms=DELAY_MS, model=model)))
    return found


def scored(tape: Tape, wallets: Sequence[str], *, assumed: Assumed) -> Mapping[str, Copyability]:
    """Returns a document for each wallet."""
    wanted = set(wallets)
    rows = [row for row in tape.rows if row.wallet in wanted]
    sizes = {wallet: ladder_of(SIZE) for wallet in wallets}
    found = play(CONFIG, CopyTape(rows=rows, resolutions=tape.resolutions, prices=tape.prices), sizes, assumed)
    until_ms = (BEGAN_S + tape.seconds) * 1000
    return {
        wallet: copyability_of(
            Scored(
                wallet=wallet, size_usd=SIZE, since_ms=BEGAN_S * 1000, until_ms=until_ms, computed_ms=until_ms,
                truncated=False, delay_ms=assumed.delay_ms, delay_source="as asked", depth_source="made up from prices",
            ),
            [row for row in rows if row.wallet == wallet],
            {size: found[wallet, size] for size in sizes[wallet]},
        )
        for wallet in wallets
    }  # fmt: skip


def _cells(one: Copyability) -> str:
    parts = (one.costs.delay, one.costs.spread, one.costs.depth, one.costs.fees)
    shares = [f"{part / one.stake:.1%}" for part in (one.gross, *(-part for part in parts), one.net)]
    interval = "–" if one.low is None else f"{_percent(one.low)} to {_percent(one.high)}"
    capacity = one.capacity if one.capacity_usd is None else f"{'> ' * (one.capacity == 'above')}{one.capacity_usd:,f}"
    return " | ".join((f"{one.copied:,} of {one.decisions:,}", *shares, interval, one.grade, capacity))


def _percent(value: Decimal | None) -> str:
    return "–" if value is None else f"{value:.1%}"


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
