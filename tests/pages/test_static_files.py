"""Styles and modules: compressed, kept for ever under an address of their content, and nothing else is served."""

import gzip
import re
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from engine.pages.static_files import DIRECTORY, StaticFiles

PACKED_MAX = 150_000


@pytest.fixture(scope="module")
def static():
    return StaticFiles.read()


def answered(static, path, **headers):
    return static.answer(path, Headers({name.replace("_", "-"): value for name, value in headers.items()}))


def test_a_file_is_packed_for_those_who_take_it_and_is_the_same(static):
    packed = answered(static, static.url("app.css"), accept_encoding="br, gzip")
    plain = answered(static, static.url("app.css"))
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed.body) == plain.body == (DIRECTORY / "app.css").read_bytes()
    assert "immutable" in plain.headers["cache-control"]


def test_an_address_of_another_version_is_served_and_not_kept(static):
    assert answered(static, "/static/000000000000/app.css").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/static/", "/static/x/../mount.py", "/static/x/%2e%2e/mount.py", "/static/x/nothing.css"]
)
def test_nothing_else_is_served(static, path):
    assert answered(static, path) is None


def test_another_content_is_another_address(tmp_path):
    (tmp_path / "a.css").write_text("a {}")
    before = StaticFiles.read(tmp_path).url("a.css")
    (tmp_path / "a.css").write_text("b {}")
    assert StaticFiles.read(tmp_path).url("a.css") != before


def test_all_script_and_style_together_is_small(static):
    assert static.packed_bytes <= PACKED_MAX


@pytest.mark.parametrize("path", sorted(DIRECTORY.glob("*.mjs")), ids=lambda path: path.name)
def test_modules_import_what_exists_and_take_html_only_from_one_place(path: Path):
    text = path.read_text()
    for name in re.findall(r'(?:from|import) "\./([^"]+)"', text):
        assert (DIRECTORY / name).exists(), name
    if path.name != "html.mjs":
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment", text)
    assert not re.search(r"\beval\(|new Function|setTimeout\(\s*[\"'`]", text)
    assert "https://" not in text
    assert "http://" not in text
