import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocols", "config", "actors", "engine")
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 70
# A ratchet: what is longer today may shrink and be taken out, nothing may be added or grow.
LONGER_FILES: dict[str, int] = {}
LONGER_FUNCTIONS: dict[str, int] = {}
# Where the machine may be asked for time or chance.
CLOCK_AND_CHANCE = {"engine/adapters/system_clock.py"}
BORDER = {f"engine/adapters/postgres/{name}.py" for name in ("addresses", "database", "eager_loop")}
"""Below the one thin module between trio and asyncpg."""
MAY_MEASURE = {"engine/runtime/loop_lag.py"}
FORBIDDEN_CALLS = {
    "time.time", "time.time_ns", "time.monotonic", "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "uuid.uuid4", "uuid4", "uuid.uuid1", "os.urandom", "secrets.token_hex", "secrets.token_bytes", "secrets.randbits",
    "random.random", "random.choice", "random.randint", "random.uniform", "random.shuffle",
}  # fmt: skip
SQL_CALLS = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor", "prepare"}
FILES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))


@lru_cache(maxsize=2)
def tree_of(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def calls_of(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]


def called_name(node: ast.Call) -> str:
    return ast.unparse(node.func)


def a_file_holds_one_idea(path):
    lines = len((ROOT / path).read_text().splitlines())
    assert lines <= LONGER_FILES.get(str(path), FILE_LINES_MAX)


def a_function_fits_on_a_screen(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGER_FUNCTIONS.get(f"{path}:{node.name}", FUNCTION_LINES_MAX), node.name


def test_the_ratchet_only_tightens():
    for name, allowed in LONGER_FILES.items():
        assert FILE_LINES_MAX < len((ROOT / name).read_text().splitlines()) <= allowed


def time_and_chance_come_in_through_ports(path):
    if str(path) in CLOCK_AND_CHANCE:
        return
    calls = {called_name(node) for node in calls_of(path)}
    unseeded = {called_name(node) for node in calls_of(path) if not node.args and not node.keywords}
    assert not unseeded & {"Random", "random.Random"}
    forbidden = FORBIDDEN_CALLS | (set() if str(path) in MAY_MEASURE else {"perf_counter", "time.perf_counter"})
    assert not calls & forbidden


def sql_is_never_formatted(path):
    for node in ast.walk(tree_of(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in SQL_CALLS
            and node.args
        ):
            statement = node.args[0]
            formatted = isinstance(statement, ast.JoinedStr | ast.BinOp) or (
                isinstance(statement, ast.Call) and called_name(statement).endswith(".format")
            )
            assert not formatted, f"line {node.lineno}"


def nobody_prints(path):
    calls = {called_name(node) for node in calls_of(path)}
    assert "print" not in calls
    if not str(path).startswith("engine/cli/") and path.name != "command.py":
        assert not {name for name in calls if name in ("click.echo", "sys.stdout.write")}


def asyncio_stays_behind_one_module(path):
    if str(path) in BORDER:
        return
    names = {alias.name for node in ast.walk(tree_of(path)) if isinstance(node, ast.Import) for alias in node.names}
    assert not names & {"asyncio", "trio_asyncio"}


def what_is_counted_over_a_wait_is_counted_once(path):
    """`self.rows += await …` reads the count before it waits, and forgets what others have added when it writes it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute | ast.Subscript):
            waits = [inner for inner in ast.walk(node.value) if isinstance(inner, ast.Await)]
            assert not waits, f"line {node.lineno}"


def public_things_say_what_they_are(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree), "the file"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def no_machine_or_registry_is_named(path):
    text = (ROOT / path).read_text()
    assert not re.search(
        r"/work/|pypi\.org|registry\.npmjs|deb\.debian\.org|files\.pythonhosted", text.replace(__name__, "")
    ) or (path.name == "test_tidy.py")


RULES_OF_ALL = (a_file_holds_one_idea, a_function_fits_on_a_screen, no_machine_or_registry_is_named)
RULES_OF_OURS = (
    time_and_chance_come_in_through_ports,
    sql_is_never_formatted,
    nobody_prints,
    asyncio_stays_behind_one_module,
    what_is_counted_over_a_wait_is_counted_once,
    public_things_say_what_they_are,
)
"""One test a file, so that it is read once."""


@pytest.mark.parametrize("path", FILES + TESTS, ids=str)
def test_a_file_keeps_to_the_rules_of_the_house(path):
    for rule in RULES_OF_ALL + (RULES_OF_OURS if path.parts[0] in PACKAGES else ()):
        rule(path)


@pytest.mark.parametrize("path", [Path("README.md"), Path("pyproject.toml")], ids=str)
def test_no_machine_is_named_at_the_top(path):
    no_machine_or_registry_is_named(path)
