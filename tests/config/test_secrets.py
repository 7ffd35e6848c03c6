import copy
import json
import os
import pickle
import traceback

import attrs
import pytest

from config.describe import toml_template, values
from config.loader import ConfigError, load_config
from config.schema import EngineConfig
from config.secrets import SECRET_BYTES_MAX, Secret, read_secret_file

TEXT = "postgresql://me:geheim@db.example/polycopy"
CONTENT = TEXT.encode()


@pytest.fixture
def secret_file(tmp_path):
    def write(content=CONTENT, mode=0o600):
        path = tmp_path / "secret"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return write


def test_the_text_is_read_without_its_line_end(secret_file):
    assert read_secret_file(secret_file(f"\n{TEXT}\r\n".encode())).reveal() == TEXT


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_for_its_owner_alone_is_accepted(secret_file, mode):
    assert read_secret_file(secret_file(mode=mode)) == Secret(TEXT)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o777, 0o601])
def test_a_file_that_others_may_touch_is_refused(secret_file, mode):
    with pytest.raises(ValueError, match=f"has mode {mode:04o}; others may read it, set 0600"):
        read_secret_file(secret_file(mode=mode))


def test_a_link_is_refused(secret_file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(secret_file())
    with pytest.raises(ValueError, match="cannot be read"):
        read_secret_file(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_of_another_user_is_refused(secret_file):
    path = secret_file()
    os.chown(path, 65534, 65534)
    with pytest.raises(ValueError, match="is owned by another user"):
        read_secret_file(path)


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a regular file"):
        read_secret_file(tmp_path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ValueError, match="is not a regular file"):
        read_secret_file(tmp_path / "pipe")
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        read_secret_file(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"x" * (SECRET_BYTES_MAX + 1), "is larger than"),
    ],
)
def test_content_that_is_no_secret_is_refused_without_showing_it(secret_file, content, reason):
    with pytest.raises(ValueError, match=reason):
        read_secret_file(secret_file(content))


def test_it_is_given_by_file_or_by_environment(secret_file, tmp_path):
    path = secret_file()
    config_file = tmp_path / "polycopy.toml"
    config_file.write_text(f'[database]\nurl_file = "{path}"\n')
    assert load_config(config_file, environ={}).database.url == Secret(TEXT)
    assert load_config(environ={"POLYCOPY_DATABASE__URL_FILE": str(path)}).database.url == Secret(TEXT)
    both = load_config(config_file, environ={"POLYCOPY_DATABASE__URL": "postgresql://other/x"})
    assert both.database.url == Secret("postgresql://other/x")


def test_an_empty_one_is_none_at_all():
    config = load_config(environ={"POLYCOPY_DATABASE__URL": "", "POLYCOPY_DATABASE__DIRECT_URL_FILE": ""})
    assert (config.database.url, config.database.direct_url) == (None, None)


def test_systemd_hands_it_over_in_a_directory(tmp_path):
    for name in ("http.metrics_token", "http.admin_token", "http.port", "stranger"):
        (tmp_path / name).write_text("5\n")
        (tmp_path / name).chmod(0o400)
    config = load_config(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert (config.http.metrics_token, config.http.admin_token) == (Secret("5"), Secret("5"))
    assert config.http.port == EngineConfig().http.port


@pytest.mark.skipif(os.geteuid() != 0, reason="only root owns what root owns")
def test_a_credential_of_root_with_an_access_list_is_accepted_and_a_file_of_that_mode_is_not(tmp_path):
    path = tmp_path / "http.admin_token"
    path.write_text("5")
    path.chmod(0o440)
    assert load_config(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}).http.admin_token == Secret("5")
    with pytest.raises(ConfigError, match="0440"):
        load_config(environ={"POLYCOPY_HTTP__ADMIN_TOKEN_FILE": str(path)})
    path.chmod(0o444)
    with pytest.raises(ConfigError, match="0444"):
        load_config(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_credential_beats_the_file_and_the_environment_beats_both(secret_file, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "database.url").write_text("postgresql://credential/x")
    (credentials / "database.url").chmod(0o400)
    config_file = tmp_path / "polycopy.toml"
    config_file.write_text(f'[database]\nurl_file = "{secret_file()}"\n')
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert load_config(config_file, environ=environ).database.url == Secret("postgresql://credential/x")
    environ["POLYCOPY_DATABASE__URL"] = "postgresql://environment/x"
    assert load_config(config_file, environ=environ).database.url == Secret("postgresql://environment/x")


def test_a_directory_of_credentials_that_is_not_there_is_none():
    assert load_config(environ={"CREDENTIALS_DIRECTORY": "/no/such/directory"}) == EngineConfig()


@pytest.mark.parametrize("content", [b"", b"\xff"])
def test_an_unreadable_one_is_a_problem_with_its_path(secret_file, content):
    path = secret_file(content)
    with pytest.raises(ConfigError) as error:
        load_config(environ={"POLYCOPY_HTTP__ADMIN_TOKEN_FILE": str(path)})
    assert error.value.problems[0].startswith(f"http.admin_token_file: {path} is ")


def test_it_never_leaves_by_accident():
    config = load_config(environ={"POLYCOPY_DATABASE__URL": TEXT, "POLYCOPY_HTTP__ADMIN_TOKEN": "geheim"})
    try:
        raise RuntimeError(config, f"{config.database.url}")
    except RuntimeError:
        told = traceback.format_exc()
    shown = (repr(config), str(config), f"{config.database.url!r:>20}", str(attrs.asdict(config)), told,
             json.dumps(values(config)), toml_template())  # fmt: skip
    assert not any("geheim" in text for text in shown)
    assert "Secret(****)" in repr(config)
    assert values(config)["database.url"] == "(set)"


def test_it_is_never_pickled_or_copied():
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(Secret("geheim"))
    with pytest.raises(TypeError, match="never pickled"):
        copy.copy(Secret("geheim"))
    with pytest.raises(AttributeError):
        Secret("geheim").text = "x"


@pytest.mark.parametrize("name", ["database.url", "http.admin_token"])
def test_no_message_shows_what_was_written_into_the_file_by_mistake(tmp_path, name):
    section, key = name.split(".")
    file = tmp_path / "polycopy.toml"
    file.write_text(f'[{section}]\n{key} = "geheim"\n{key}_fil = "geheim"\n')
    with pytest.raises(ConfigError) as error:
        load_config(file, environ={})
    assert len(error.value.problems) == 2
    assert "geheim" not in str(error.value)


def test_equal_secrets_are_equal():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
