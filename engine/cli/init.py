"""`polycopy init`."""

from pathlib import Path

import click

from config.describe import toml_template


@click.command()
@click.option(
    "--file", "path", type=click.Path(path_type=Path, dir_okay=False), default=Path("polycopy.toml"), show_default=True
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init(path: Path, force: bool) -> None:
    """Write a configuration file in which every setting stands commented out with its default and meaning.

    A file that is there is never touched without --force. The engine runs without any file too.
    """
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(toml_template())
    except FileExistsError:
        raise click.ClickException(f"{path} is there already; --force overwrites it") from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"Wrote {path}: everything in it is commented out and shows the default.\n")
    click.echo("Next:")
    steps = (
        (f"polycopy --config {path} config check", "after each change"),
        (f"polycopy --config {path} doctor", "does everything answer from here?"),
        (f"polycopy --config {path} follow add 0x…", "a wallet, @name or profile address"),
        (f"polycopy --config {path} run", "start the engine"),
    )
    width = max(len(command) for command, _ in steps)
    for command, what in steps:
        click.echo(f"  {command.ljust(width)}   {what}")
    click.echo("\nPOLYCOPY_CONFIG names the file once for all commands.")
