"""Writes engine/training/README.md anew: `python -m tests.bench.calibration_table [TRADES]`.

Trades of a made-up platform whose truth is known: once half of the traders know more than the price, once prices are the truth
and nobody knows more, once who won is dealt out anew. Each is written into a database, trained on and measured as a user would.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import trio

import engine.training
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.training_store import PostgresTrainingStore
from engine.api.model_bodies import report_answer
from engine.cli.model_views import report_markdown
from engine.training.past_trades import PastTrades
from engine.training.table import table_of
from engine.training.training import trained
from protocols.score_models import as_row
from tests.engine_training.planted_world import Plan, PlantedWorld

from .databases import BenchServer, bench_server

PAGE = Path(engine.training.__file__).with_name("README.md")
BEGIN = "<!-- tables: python -m tests.bench.calibration_table -->"
WORLDS = {
    "Half of the traders know more than the price": {},
    "Prices are the truth, nobody knows more": {"skilled": 0.0, "error": 0.0},
    "Who won was dealt out anew after everybody had bought": {"shuffled": True},
}


async def tables(server: BenchServer, trades: int) -> list[str]:
    """Returns the lines of all worlds."""
    lines = []
    for title, more in WORLDS.items():
        database = await server.database()
        connection = Connection(database.options, "table")
        plan = Plan(trades=trades, **more)
        await PlantedWorld(plan).write(connection)
        past = PastTrades(trades=PostgresTrainingStore(connection), backtests=PostgresBacktestStore(connection))
        table = await table_of(past.pages(0, plan.until_ms), rows_max=trades)
        models = trained(
            table, seed=1, left_out=past.left_out, code_version="", stage=lambda _: None, now_s=lambda: 0.0
        )
        await connection.aclose()
        lines += ["", f"## {title}"]
        for number, model in enumerate(models, start=1):
            report = report_answer(as_row(model, model_id=number, created_ms=0), None)
            lines += ["", *report_markdown(report), "", *_verdict(report.model.refusals)]
    return lines


def _verdict(refusals: list[str]) -> Iterator[str]:
    if not refusals:
        yield "It may be activated."
        return
    yield "It is refused:"
    yield ""
    yield from (f"- {text}" for text in refusals)


async def main(trades: int) -> None:
    """Makes the tables and puts them where the old ones were."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o711)
        async with bench_server(Path(scratch) / "postgres") as server:
            lines = await tables(server, trades)
    head = PAGE.read_text().partition(BEGIN)[0]
    PAGE.write_text(head + BEGIN + "\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 30_000)
