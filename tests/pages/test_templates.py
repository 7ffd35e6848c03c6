"""All templates compile, keep to the Content-Security-Policy, and switch no escaping off."""

import re

import pytest

from engine.adapters.system_clock import SystemClock
from engine.pages.rendering import DIRECTORY, Renderer
from engine.pages.site import all_pages
from engine.pages.static_files import StaticFiles

TEMPLATES = sorted(path.name for path in DIRECTORY.iterdir())


@pytest.fixture(scope="module")
def static():
    return StaticFiles.read()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_compiles_and_its_files_exist(static, name):
    Renderer(static, SystemClock()).environment.get_template(name)
    for file in re.findall(r"static\('([^']+)'\)", (DIRECTORY / name).read_text()):
        assert file in static.files


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_needs_no_inline_script_or_style_and_escapes_everything(name):
    text = (DIRECTORY / name).read_text()
    assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:", text, re.IGNORECASE)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text, re.IGNORECASE)
    assert not re.search(r"\|\s*safe\b|autoescape|\bMarkup\b", text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    # Every form says what it does: through the API, to our own two forms of login, or as filters.
    for form in re.findall(r"<form\b[^>]*>", text):
        assert re.search(r"data-api=|method=\"(?:get|post|dialog)\"", form), form


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_scrolls_is_reached_by_keyboard_and_has_a_name(name):
    for box in re.findall(r"<div class=\"table[^>]*>", (DIRECTORY / name).read_text()):
        assert 'tabindex="0"' in box, box
        assert 'role="region"' in box, box
        assert re.search(r"aria-label(ledby)?=", box), box


def test_pages_have_addresses_and_templates_of_their_own():
    pages = all_pages()
    assert len({page.path for page in pages}) == len(pages)
    assert {page.template for page in pages} <= set(TEMPLATES)
