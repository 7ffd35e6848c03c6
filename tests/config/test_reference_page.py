import re
from pathlib import Path

import pytest

import config
from config.describe import free_settings, settings
from config.reference import KINDS, reference_page, unit_of
from config.schema import EngineConfig
from config.sections import section_meaning

PAGE = Path(config.__file__).with_name("REFERENCE.md")


def key_rows():
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row] for row in rows if len(row) == 7}


def test_the_page_is_the_schema_written_down():
    # polycopy config schema --markdown > config/REFERENCE.md
    assert PAGE.read_text() == reference_page()


@pytest.mark.parametrize("info", [*settings(), *(info for _, info in free_settings())], ids=lambda info: info.path)
def test_every_setting_has_a_row_that_says_it_all(info):
    shared = re.sub(r"^(jobs|channels)\.[\w-]+\.", r"\1.NAME.", info.path)
    _, kind, default, allowed, _, change, meaning = key_rows()[shared]
    assert kind == KINDS[info.kind]
    assert default
    assert allowed
    assert change == ("restart" if info.restart else "live")
    assert meaning == info.doc


def test_no_row_is_of_a_setting_that_is_not_there():
    known = {info.path for info in settings()} | {info.path for _, info in free_settings()}
    known |= {re.sub(r"^(jobs|channels)\.[\w-]+\.", r"\1.NAME.", path) for path in known}
    assert set(key_rows()) <= known


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("drain_s", "s"),
        ("ttl_ms", "ms"),
        ("rate_per_s", "calls a second"),
        ("orders_per_s", "orders a second"),
        ("memory_mb", "MB"),
        ("spill_bytes_max", "bytes"),
        ("log_days", "days"),
        ("port", "-"),
    ],
)
def test_the_end_of_a_name_says_its_unit(name, unit):
    assert unit_of(name) == unit


def test_a_section_that_is_not_there_has_no_meaning():
    with pytest.raises(KeyError):
        section_meaning(EngineConfig, "nothing")
