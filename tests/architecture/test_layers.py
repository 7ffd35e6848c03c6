import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "protocols": set[str](),
    "config": {"protocols"},
    "actors": {"protocols", "config"},
    "engine": {"protocols", "config", "actors"},
}
# Libraries that do I/O have no place in what is pure; trio is the runtime that actors are written for.
FORBIDDEN_LIBRARIES = {
    "protocols": {
        "trio",
        "httpx",
        "asyncpg",
        "trio_websocket",
        "trio_asyncio",
        "socket",
        "asyncio",
        "starlette",
        "click",
    },
    "config": {"trio", "httpx", "asyncpg", "trio_websocket", "trio_asyncio", "socket", "asyncio", "starlette", "click"},
    "actors": {"httpx", "asyncpg", "trio_websocket", "trio_asyncio", "socket", "asyncio", "starlette", "click"},
    "engine": {"tests"},
}
TOP_LEVEL = {"protocols", "config", "actors", "engine", "tests", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE",
             "requirements.lock", "requirements-test.lock", ".ci", ".gitignore", ".dockerignore"}  # fmt: skip
FILES = sorted(path.relative_to(ROOT) for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


@cache
def imported_modules(path: Path) -> frozenset[str]:
    nodes = list(ast.walk(ast.parse((ROOT / path).read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return frozenset(names | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)})


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_one_way(path):
    package = path.parts[0]
    roots = {name.split(".")[0] for name in imported_modules(path)}
    assert roots & set(MAY_IMPORT) <= MAY_IMPORT[package] | {package}
    assert not roots & FORBIDDEN_LIBRARIES[package]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_only_the_wiring_names_both_an_actor_and_an_adapter(path):
    names = imported_modules(path)
    actors = {name for name in names if name.startswith("actors.") and not name.startswith("actors.rules")}
    adapters = {name for name in names if name.startswith("engine.adapters")}
    assert not (actors and adapters)


def test_rules_are_pure():
    for path in FILES:
        if path.parts[:2] == ("actors", "rules"):
            assert "trio" not in {name.split(".")[0] for name in imported_modules(path)}, path


def test_nothing_else_lies_at_the_top():
    import subprocess

    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    assert {line.split("/")[0] for line in tracked.stdout.splitlines()} <= TOP_LEVEL


def test_no_file_is_named_after_nothing():
    banned = {"utils.py", "helpers.py", "common.py", "models.py", "misc.py"}
    assert not [path for path in FILES if path.name in banned]


def test_the_engine_does_without_libraries_that_only_commands_need():
    import subprocess
    import sys

    # Each costs megabytes in a process that has a hundred of them.
    libraries = "{'httpx', 'rich', 'apprise', 'tomlkit', 'numpy', 'sklearn', 'lightgbm', 'optuna', 'coredis'}"
    code = f"import engine.cli.run, engine.lifecycle, sys; print(sorted({libraries} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
