"""Command lines of `polycopy` in pages, checked against the commands themselves; nothing is run."""

import re
import shlex
from collections.abc import Iterator

import click
from documents.document_pages import Page

from engine.cli.main import main

SHELL = ("", "sh", "bash", "console")
_OPERATORS = re.compile(r"\s*(?:&&|\|\||;|\s\||\s&\s*$)\s*")
_REDIRECTION = re.compile(r"\s\d?[<>]{1,2}\s*(?:\"[^\"]*\"|'[^']*'|\S+)")


def command_lines(page: Page) -> Iterator[list[str]]:
    """Yields the arguments of every call of `polycopy` in the page's shell blocks."""
    for block in page.blocks:
        if block.language in SHELL:
            text = re.sub(r"\\\n\s*", " ", block.text)
            text = re.sub(r"<<'(\w+)'\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
            for line in text.splitlines():
                yield from calls_in(line)


def calls_in(line: str) -> Iterator[list[str]]:
    """Yields the arguments of every call of `polycopy` in a line of shell."""
    line = re.sub(r"(^|\s)#.*$", "", line).strip().removeprefix("$ ")
    for quoted in re.findall(r"\"(polycopy [^\"]+)\"|'(polycopy [^']+)'", line):
        yield from calls_in("".join(quoted))
    for part in _OPERATORS.split(_REDIRECTION.sub("", line)):
        try:
            words = shlex.split(part)
        except ValueError:
            continue
        for place, word in enumerate(words):
            if word.rpartition("/")[2] == "polycopy" and _is_call(words, place):
                yield [one for one in words[place + 1 :] if one not in ("…", "...")]
                break


def _is_call(words: list[str], place: int) -> bool:
    """Tells the command from a user, an image, an application or a unit of the same name."""
    following = words[place + 1] if place + 1 < len(words) else ""
    return following in main.list_commands(click.Context(main)) or (place == 0 and bool(following))


def problem_of(arguments: list[str], *, complete: bool) -> str | None:
    """Returns what is wrong with a call, or None. `complete`: required arguments and options have to be there."""
    command: click.Command = main
    context = click.Context(main, info_name="polycopy")
    while True:
        try:
            values, rest, _ = command.make_parser(context).parse_args(list(arguments))
            _check(command, context, values, complete=complete and not isinstance(command, click.Group))
        except click.UsageError as error:
            return error.format_message()
        if not isinstance(command, click.Group):
            return f"too many arguments: {rest}" if rest else None
        if not rest:
            return None if not complete or command.invoke_without_command or _asks_help(arguments) else "no command"
        found = command.get_command(context, rest[0])
        if found is None:
            return f"there is no command {rest[0]}"
        command, context, arguments = found, click.Context(found, info_name=rest[0], parent=context), rest[1:]
        if isinstance(command, click.Group):
            context.allow_interspersed_args = False


def _asks_help(arguments: list[str]) -> bool:
    return bool({"--help", "-h", "--version"} & set(arguments))


def _check(command: click.Command, context: click.Context, values: dict[str, object], *, complete: bool) -> None:
    for param in command.params:
        given = values.get(param.name or "")
        is_given = given is not None and given != () and type(given).__name__ != "Sentinel"
        if complete and param.required and not is_given and not param.envvar:
            raise click.UsageError(f"{param.name} is missing")
        if is_given and isinstance(param.type, click.Choice):
            for one in given if isinstance(given, list | tuple) else [given]:
                if "|" not in str(one) and not str(one).isupper():
                    param.type.convert(one, param, context)
