"""The page shows the very code that runs here."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "actors" / "WRITING.md"
BLOCK = re.compile(r"<!-- (\S+) -->\n```python\n(.*?)```", re.DOTALL)
BLOCKS = BLOCK.findall(PAGE.read_text())


@pytest.mark.parametrize(("file", "code"), BLOCKS, ids=[code.split("\n")[0] for _, code in BLOCKS])
def test_a_block_is_a_part_of_its_file(file, code):
    assert f"\n{code.strip()}\n" in (ROOT / file).read_text()


def test_every_block_of_python_names_its_file():
    assert PAGE.read_text().count("```python") == len(BLOCKS) > 8


@pytest.mark.parametrize("file", ["whale", "whale_watch", "whale_store"])
def test_what_makes_the_actor_is_shown_whole(file):
    shown = "".join(code for _, code in BLOCKS)
    for node in ast.parse((Path(__file__).with_name(f"{file}.py")).read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            assert re.search(rf"\b(class|def) {node.name}\b", shown)
