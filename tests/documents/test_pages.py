"""Every page of the project: its links lead somewhere, its commands can be given, its names exist."""

import re
import tomllib
from functools import cache

import pytest
from documents.commands import calls_in, command_lines, problem_of
from documents.document_pages import ROOT, page_of, pages
from documents.known_names import SECTIONS, is_column, is_setting, is_variable, metric_names

PAGES = pages()
IDS = [page.name for page in PAGES]
each_page = pytest.mark.parametrize("page", PAGES, ids=IDS)
_FILE_ENDINGS = (".py", ".md", ".toml", ".sql", ".mjs", ".css", ".json", ".yml", ".html", ".lock")
# Look like metrics and are none: the volume of fly.toml, the cookies of the pages.
OTHERS = {tomllib.loads((ROOT / "config" / "deploy" / "fly.toml").read_text())["mounts"]["source"], "polycopy_session"}
_METRIC_ENDING = re.compile(r"[a-z_]+(_total|_seconds|_bytes|_ratio|_seconds_count)")


@cache
def metrics():
    return metric_names()


@each_page
def test_fences_are_closed(page):
    assert page.is_closed


@each_page
def test_links_lead_to_files_and_headings_that_exist(page):
    for link in page.links():
        if re.match(r"https?://|mailto:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        assert path.exists(), link
        assert path.is_relative_to(ROOT), link
        if anchor:
            assert anchor in page_of(path).anchors(), link


@each_page
def test_commands_in_blocks_can_be_given(page):
    found = [(words, problem_of(words, complete=True)) for words in command_lines(page)]
    assert not [(" ".join(words), problem) for words, problem in found if problem]


@each_page
def test_commands_in_sentences_exist_with_their_options(page):
    for text in page.inline_code():
        if text.startswith("polycopy ") and "|" not in text:
            for words in calls_in(re.sub(r"[\[\]]", "", text)):
                assert problem_of(words, complete=False) is None, text


@each_page
def test_settings_that_are_named_exist(page):
    named = [text.partition(" = ")[0] for text in page.inline_code()]
    dotted = [name for name in named if re.fullmatch(r"[a-z_]+(\.[\w<>*-]+)+", name)]
    for name in dotted:
        if name.partition(".")[0] in SECTIONS and not name.endswith(_FILE_ENDINGS):
            assert is_setting(name) or is_column(name), name


@each_page
def test_environment_variables_that_are_named_exist(page):
    whole = page.path.read_text()
    for name in re.findall(r"\bPOLYCOPY_\w+[A-Z]\b", whole):
        assert is_variable(name), name


@each_page
def test_metrics_that_are_named_exist(page):
    for name, is_prefix in re.findall(r"\b(polycopy_[a-z_]+)(\*?)", page.path.read_text()):
        if name in OTHERS:
            continue
        known = any(one.startswith(name) for one in metrics()) if is_prefix else name in metrics()
        assert known, name
    for text in page.inline_code():
        name = re.sub(r"\{.*\}$", "", text)
        if (
            page.name.startswith("engine/README")
            and _METRIC_ENDING.fullmatch(name)
            and not name.startswith("polycopy_")
        ):
            assert any(one.endswith(name) for one in metrics()), name


@each_page
def test_blocks_of_configuration_are_toml_with_settings_that_exist(page):
    for block in page.blocks:
        if block.language == "toml":
            tree = tomllib.loads(block.text)
            if set(tree) <= SECTIONS:
                assert not [path for path in leaves("", tree) if not is_setting(path)]


@each_page
def test_files_that_are_named_with_their_folder_exist(page):
    for text in page.inline_code():
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+", text) and text.endswith(_FILE_ENDINGS):
            folders = [ROOT, page.path.parent, ROOT / "actors" / "rules", ROOT / "actors", ROOT / "engine"]
            assert any((folder / text).exists() for folder in folders), text


def leaves(prefix, table):
    for name, value in table.items():
        if isinstance(value, dict):
            yield from leaves(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}"


def test_the_readme_leads_to_every_page():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        targets = [link.partition("#")[0] for link in page_of(path).links() if not link.startswith("http")]
        waiting += [(path.parent / target).resolve() for target in targets if target]
    assert {page.path for page in PAGES} - reached == set()
