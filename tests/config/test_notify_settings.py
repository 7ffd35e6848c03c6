"""Settings of notifications: channels by file, environment and credential, and nothing of an address in any message."""

import pytest

from config.describe import values
from config.loader import ConfigError, load_config
from config.notify import channel_rules, channel_urls
from protocols.notifications import MAIL, ChannelRule, NoticeKind

SECRET = "s3cret-t0ken"


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def loaded(tmp_path, toml, **environ):
    file = tmp_path / "polycopy.toml"
    file.write_text(toml)
    return load_config(file, environ=environ)


def test_channels_are_read_from_files_environment_and_credentials(tmp_path):
    discord = private(tmp_path / "discord", f"discord://123/{SECRET}\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    private(credentials / "notify.mail_url", f"mailtos://u:{SECRET}@mail.example.org?from=c@example.org")
    private(credentials / "notify.channels.topic.url", f"ntfy://{SECRET}")
    toml = f"""
[notify]
enabled = true
[notify.channels.chat]
url_file = "{discord}"
users = "ann, bob"
kinds = "drift, order_lost"
"""
    config = loaded(
        tmp_path, toml, CREDENTIALS_DIRECTORY=str(credentials), POLYCOPY_NOTIFY__CHANNELS__HOOK__URL="json://h.example.org"
    )  # fmt: skip
    assert {rule.name: rule for rule in channel_rules(config.notify)} == {
        MAIL: ChannelRule(name=MAIL, needs_address=True),
        "chat": ChannelRule(
            name="chat", users=frozenset({"ann", "bob"}), kinds=frozenset({NoticeKind.DRIFT, NoticeKind.ORDER_LOST})
        ),
        "topic": ChannelRule(name="topic"),
        "hook": ChannelRule(name="hook"),
    }
    urls = channel_urls(config.notify)
    assert urls["chat"].reveal() == f"discord://123/{SECRET}"
    assert urls["topic"].reveal() == f"ntfy://{SECRET}"
    assert SECRET not in repr(config) + repr(urls) + str(values(config))


def test_while_it_is_off_there_is_no_channel(tmp_path):
    config = loaded(tmp_path, "", POLYCOPY_NOTIFY__MAIL_URL="mailto://h?from=a@b.c")
    assert channel_rules(config.notify) == ()
    assert not config.notify.enabled


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"MAIL_URL": f"json://{SECRET}"}, "notify.mail_url: must begin with mailto:// or mailtos://"),
        ({"CHANNELS__MAIL__URL": f"json://{SECRET}"}, "notify.channels.mail: this name is that of notify.mail_url"),
        ({"CHANNELS__OPS__USERS": "ann"}, "notify.channels.ops.url: is needed"),
        ({"CHANNELS__OPS__URL": f"no address {SECRET}"}, "notify.channels.ops.url: must be an address"),
        (
            {"CHANNELS__OPS__URL": f"json://{SECRET}", "CHANNELS__OPS__KINDS": "drfit"},
            "notify.channels.ops.kinds: 'drfit'",
        ),
        ({"CHANNELS__OPS__URL": f"json://{SECRET}", "CHANNELS__OPS__USERS": " , "}, "notify.channels.ops.users: ' , '"),
        ({"PUBLIC_URL": "javascript:alert(1)"}, "notify.public_url: 'javascript:alert(1)'"),
    ],
)
def test_what_is_wrong_is_named_without_the_address(tmp_path, environ, problem):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "", **{f"POLYCOPY_NOTIFY__{name}": value for name, value in environ.items()})
    assert problem in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_address_does_not_stand_in_the_file(tmp_path):
    with pytest.raises(
        ConfigError, match=r"notify\.channels\.ops\.url: a secret is not written into the file"
    ) as caught:
        loaded(tmp_path, f'[notify.channels.ops]\nurl = "json://{SECRET}"')
    assert SECRET not in str(caught.value)
