"""`polycopy traders score`: what copying traders would have made, computed in this process from the database's trades."""

from decimal import Decimal

import click

from actors.rules.exact import CENT
from config.schema import EngineConfig
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.copyability_inputs import PostgresCopyabilityInputs
from engine.adapters.postgres.database import open_connection
from engine.adapters.system_clock import SystemClock
from engine.api.answer import encode
from engine.cli.command import run_command
from engine.cli.copyability_views import copyability_lines
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.main import Settings
from engine.cli.trader_lookup import wallets_of
from engine.cli.wallet_forms import Entry, parse_arguments
from engine.copyability.stored import ReadTraders, Wanted, read_traders, score_read
from engine.runtime.logs import configure_logging
from protocols.copyability import DAYS_DEFAULT, DAYS_MAX, SIZE_USD_DEFAULT, SIZE_USD_MAX, SIZE_USD_MIN
from protocols.errors import EngineError

TRADERS_MAX = 100
DELAY_MS_MAX = 60_000


class _Usd(click.ParamType[Decimal]):
    name = "usd"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            usd = Decimal(str(value))
        except ArithmeticError:
            self.fail(f"{value!r} is no number", param, ctx)
        if not usd.is_finite() or not SIZE_USD_MIN <= usd <= SIZE_USD_MAX or usd != usd.quantize(CENT):
            self.fail(f"has to be {SIZE_USD_MIN} to {SIZE_USD_MAX:,}, in cents", param, ctx)
        return usd


@click.command("score")
@click.argument("traders", metavar="WALLET...", nargs=-1, required=True)
@click.option(
    "--size",
    "size_usd",
    type=_Usd(),
    default=str(SIZE_USD_DEFAULT),
    show_default=True,
    help="USD that you would put into each copied trade.",
)
@click.option(
    "--days",
    type=click.IntRange(1, DAYS_MAX),
    default=DAYS_DEFAULT,
    show_default=True,
    help="Trades of the last so many days.",
)
@click.option(
    "--delay-ms",
    type=click.IntRange(0, DELAY_MS_MAX),
    help="From a trade to your order; without it as this engine measured it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of the API's documents.")
@click.pass_obj
def score(
    settings: Settings, traders: tuple[str, ...], size_usd: Decimal, days: int, delay_ms: int | None, as_json: bool
) -> None:
    """Say what copying traders would have made at your size, with delay, fees and thin books.

    WALLET is a wallet, a profile address or an @name, as `polycopy follow add` takes it. Their stored trades are replayed
    through the engine's own rules. Nothing is stored; the engine need not run.
    """
    if len(traders) > TRADERS_MAX:
        raise click.UsageError(f"at most {TRADERS_MAX} traders at once")
    config = settings.load()
    entries, problems = parse_arguments(traders)
    read = run_command(lambda: _read(config, entries, problems, size_usd, days, delay_ms))
    # Thousands of replayed trades would warn each of what a tape cannot know.
    configure_logging("error", "text", SystemClock())
    try:
        found = score_read(config, read)
    except EngineError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(encode(found).decode())
        return
    for number, one in enumerate(found):
        if number:
            click.echo()
        click.echo("\n".join(copyability_lines(one)))


async def _read(
    config: EngineConfig,
    entries: list[Entry],
    problems: list[str],
    size_usd: Decimal,
    days: int,
    delay_ms: int | None,
) -> ReadTraders:
    wallets = await wallets_of(config, entries, problems, so="nothing was computed")
    wanted = Wanted(wallets=wallets, size_usd=size_usd, days=days, now_ms=SystemClock().now_ms(), delay_ms=delay_ms)

    async def inside(database: OpenDatabase) -> ReadTraders:
        async with open_connection(database.options, "traders") as connection:
            return await read_traders(PostgresBacktestStore(connection), PostgresCopyabilityInputs(connection), wanted)

    return await with_database(config, inside, prepare=True)
