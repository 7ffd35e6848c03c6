from engine_cli.cli_process import polycopy

from config.describe import toml_template
from config.loader import load_config
from config.schema import EngineConfig


def test_writes_a_file_that_changes_nothing(tmp_path):
    done = polycopy("init", cwd=tmp_path)
    written = tmp_path / "polycopy.toml"
    assert done.returncode == 0
    assert written.read_text() == toml_template()
    assert load_config(written, environ={}) == EngineConfig()


def test_says_what_comes_next(tmp_path):
    done = polycopy("init", "--file", "mine.toml", cwd=tmp_path)
    assert "polycopy --config mine.toml doctor" in done.stdout
    assert "polycopy --config mine.toml run" in done.stdout


def test_never_overwrites_unless_forced(tmp_path):
    mine = tmp_path / "polycopy.toml"
    mine.write_text("[http]\nport = 1\n")
    refused = polycopy("init", cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == "Error: polycopy.toml is there already; --force overwrites it\n"
    assert mine.read_text() == "[http]\nport = 1\n"
    assert polycopy("init", "--force", cwd=tmp_path).returncode == 0
    assert mine.read_text() == toml_template()


def test_a_directory_that_is_not_there_is_one_line(tmp_path):
    done = polycopy("init", "--file", "no/where/polycopy.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "Error: no/where/polycopy.toml cannot be written: No such file or directory\n"
