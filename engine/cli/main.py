"""The command `polycopy`. Each subcommand lives in its own file and is imported only when it is asked for."""

import importlib
import io
import sys
from pathlib import Path

import click

from config.loader import ConfigError, load
from config.schema import EngineConfig
from config.sources import ConfigInputs

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_GAVE_UP = 70

# name → (module, attribute, one line of help)
_COMMANDS = {
    "demo": ("engine.cli.demo", "demo", "Simulator, engine and a few followed wallets on this machine; no network, no keys."),
    "run": ("engine.cli.run", "run", "Run the engine."),
    "simulator": ("engine.cli.simulator", "simulator", "Run the venue's other side on this machine."),
    "init": ("engine.cli.init", "init", "Write a commented polycopy.toml."),
    "doctor": ("engine.cli.doctor", "doctor", "Try the database and every upstream from this machine."),
    "status": ("engine.cli.status", "status", "Show what a running engine is doing."),
    "top": ("engine.cli.top", "top", "Watch a running engine: heap, lag, channels, rates, last trades."),
    "cluster": ("engine.cli.cluster", "cluster", "Engines on one database: who is there, and who does what."),
    "follow": ("engine.cli.follow", "follow", "Follow traders, stop following them, list them."),
    "positions": ("engine.cli.positions", "positions", "What a trader holds and has closed, as the venue says it."),
    "traders": ("engine.cli.traders", "traders", "Show what is known of a trader, and lists in which traders are found."),
    "bots": ("engine.cli.bots", "bots", "Strategies that copy traders with virtual money."),
    "live": ("engine.cli.live", "live", "Strategies that copy traders with real money: make, watch, stop."),
    "orders": ("engine.cli.orders", "orders", "Live orders and their fills."),
    "portfolio": ("engine.cli.portfolio", "portfolio", "What users copied, and what it came to and is worth."),
    "why": ("engine.cli.why", "why", "Tell what bots did with a trade, and why."),
    "model": ("engine.cli.model", "model", "Train models that score trades, see how good they are, let one judge."),
    "tuner": ("engine.cli.tuner", "tuner", "What the tuner proposes for bots, what was decided, what became of it."),
    "replay": ("engine.cli.replay", "replay_command", "Run recorded trades through the engine: what would bots have done?"),
    "plan": ("engine.cli.plan", "plan_command", "What bots would have copied otherwise, before a change is applied."),
    "notify": ("engine.cli.notify", "notify", "Notices to users: how channels stand, a test, who wants what."),
    "users": ("engine.cli.users", "users", "List users, add them, shut them out."),
    "login-url": ("engine.cli.login_url", "login_url", "Make a URL that lets somebody into the pages once, on this machine."),
    "tokens": ("engine.cli.tokens", "tokens", "List tokens, make them, revoke them."),
    "openapi": ("engine.cli.openapi", "openapi", "Describe the HTTP interface: a document for programs, or a page."),
    "config": ("engine.cli.config", "config", "Show, check, explain and change the configuration."),
    "jobs": ("engine.cli.jobs", "jobs", "Show what runs at which times, and run it now."),
    "coverage": ("engine.cli.coverage", "coverage", "Show how much of the venue's history the stream had."),
    "export": ("engine.cli.export", "export", "Write stored trades into a file: CSV, JSON lines, Parquet."),
    "db": ("engine.cli.db", "db", "Migrate the database and show its state."),
}  # fmt: skip


class LazyGroup(click.Group):
    """Imports a subcommand when it is used, so that `polycopy run` does not pay for `polycopy top`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names in the order in which a newcomer needs them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns the command, imported."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="polycopy", prog_name="polycopy")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Configuration file (or POLYCOPY_CONFIG)."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Override one setting; repeatable."
)
@click.pass_context
def main(ctx: click.Context, config_file: Path | None, overrides: tuple[str, ...]) -> None:
    """Polycopy: a self-hosted copy-trading engine for Polymarket."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that this terminal's encoding lacks is shown with question marks; it does not end the command.
        sys.stdout.reconfigure(errors="replace")
    ctx.obj = Settings(config_file, overrides)


class Settings:
    """Where this call's configuration comes from; it is read only by commands that need it."""

    def __init__(self, config_file: Path | None, overrides: tuple[str, ...]) -> None:
        self.config_file = config_file
        self.overrides = overrides

    def read(self, extra: dict[str, str] | None = None) -> EngineConfig:
        """Returns the configuration. Raises `ConfigError` with every problem."""
        return load(self.inputs(extra))

    def inputs(self, extra: dict[str, str] | None = None) -> ConfigInputs:
        """Returns all that the configuration is read from."""
        pairs = [text.partition("=") for text in self.overrides]
        wrong = [name for name, separator, _ in pairs if not separator]
        if wrong:
            raise click.UsageError(f"--set needs SECTION.KEY=VALUE, got: {', '.join(wrong)}")
        overrides = {**{name.strip(): value for name, _, value in pairs}, **(extra or {})}
        return ConfigInputs.of(self.config_file, overrides=overrides)

    def load(self, extra: dict[str, str] | None = None) -> EngineConfig:
        """Returns the configuration, or ends the program with every problem listed (exit code 2)."""
        try:
            return self.read(extra)
        except ConfigError as error:
            count = len(error.problems)
            click.echo(
                f"The configuration has {count} problem{'s' if count > 1 else ''}; nothing was started:", err=True
            )
            for problem in error.problems:
                click.echo(f"  {problem}", err=True)
            sys.exit(EXIT_USAGE)


if __name__ == "__main__":
    main()
