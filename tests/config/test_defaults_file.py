import re
import tomllib
from pathlib import Path

import pytest

import config
from config.describe import settings, toml_template, values
from config.loader import load_config
from config.schema import EngineConfig

DEFAULTS = Path(config.__file__).with_name("defaults.toml")
SETTING = re.compile(r"^# ([a-z_]+ = .*)$", re.MULTILINE)


def test_the_file_is_the_schema_written_down():
    # polycopy config schema --toml > config/defaults.toml
    assert DEFAULTS.read_text() == toml_template()


def test_the_file_changes_nothing():
    assert load_config(DEFAULTS, environ={}) == EngineConfig()


def test_its_commented_values_are_the_defaults(tmp_path):
    file = tmp_path / "polycopy.toml"
    file.write_text(SETTING.sub(r"\1", toml_template()))
    assert load_config(file, environ={}) == EngineConfig()


def test_it_holds_every_setting_once_under_its_section():
    tree = tomllib.loads(SETTING.sub(r"\1", toml_template()))

    def leaves(prefix, table):
        for name, value in table.items():
            if isinstance(value, dict):
                yield from leaves(f"{prefix}{name}.", value)
            else:
                yield f"{prefix}{name}"

    wanted = {f"{info.path}_file" if info.is_secret else info.path for info in settings()}
    assert set(leaves("", tree)) == wanted


@pytest.mark.parametrize("info", settings(), ids=lambda info: info.path)
def test_every_setting_says_what_it_means_and_allows(info):
    assert info.doc
    assert info.allowed
    assert "\n" not in info.doc + info.allowed
    assert info.environment == "POLYCOPY_" + info.path.upper().replace(".", "__")


@pytest.mark.parametrize("info", [i for i in settings() if not i.is_secret], ids=lambda info: info.path)
def test_every_default_can_be_given_by_environment(info):
    text = str(info.default).lower() if isinstance(info.default, bool) else str(info.default)
    assert load_config(environ={info.environment: text}) == EngineConfig()


def test_values_are_shown_by_path():
    shown = values(EngineConfig())
    assert list(shown) == [info.path for info in settings()]
    assert shown["http.port"] == 8087
    assert shown["database.url"] is None
