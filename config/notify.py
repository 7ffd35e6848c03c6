"""Settings of notifications. Addresses of channels hold credentials: they are secrets, from files or the environment."""

import re

import attrs

from config.field import flag, free_sections, number, secret, text
from config.secrets import Secret
from protocols.notifications import MAIL, ChannelRule, NoticeKind

_HTTP_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(/[\w./#?=&%-]*)?")
_SCHEME = re.compile(r"[a-z][a-z0-9]{1,30}://\S+", re.IGNORECASE)
_MAIL_SCHEME = re.compile(r"mailtos?://", re.IGNORECASE)
KINDS = tuple(kind.value for kind in NoticeKind)


def _names(value: str) -> frozenset[str] | None:
    """Returns names separated by commas; None for `*`."""
    return None if value.strip() == "*" else frozenset(name.strip() for name in value.split(",") if name.strip())


def _are_kinds(value: str) -> bool:
    names = _names(value)
    return names is None or (bool(names) and names <= set(KINDS))


@attrs.frozen(kw_only=True)
class NotifyChannelConfig:
    """One channel of the operator's: a chat, a topic, a webhook. Its address is that of the library apprise."""

    url: Secret | None = secret(doc="address with its credentials, such as discord://ID/TOKEN")
    users: str = text("*", allowed="names separated by commas, or *", check=lambda value: _names(value) != frozenset(),
                      doc="whose notices go there")  # fmt: skip
    kinds: str = text("*", allowed=f"of {', '.join(KINDS)}; or *", check=_are_kinds, doc="which of them")


@attrs.frozen(kw_only=True)
class NotifyConfig:
    """Tells users what happened to their copies. Without `enabled` notices are kept for the API only."""

    enabled: bool = flag(False, doc="true: notices are sent over mail_url and the channels")
    public_url: str = text(
        "", allowed="an http:// or https:// address, or empty",
        check=lambda value: not value or bool(_HTTP_URL.fullmatch(value)),
        doc="page of the settings, linked from every message",
    )  # fmt: skip
    mail_url: Secret | None = secret(
        doc="mail server as mailtos://USER:PASSWORD@HOST?from=ADDRESS; mails go to the address of each user"
    )
    channels: dict[str, NotifyChannelConfig] = free_sections(NotifyChannelConfig)
    digest_window_s: float = number(
        20,
        at_least=0,
        at_most=3_600,
        doc="what comes within this time goes into one message; urgent notices do not wait",
    )
    send_timeout_s: float = number(
        60, at_least=1, at_most=300, doc="longest time of sending; then the process is ended"
    )


def channel_rules(config: NotifyConfig) -> tuple[ChannelRule, ...]:
    """Returns which channels there are; none while notifications are off."""
    if not config.enabled:
        return ()
    mail = () if config.mail_url is None else (ChannelRule(name=MAIL, needs_address=True),)
    return mail + tuple(
        ChannelRule(name=name, users=_names(one.users), kinds=_kinds(one.kinds))
        for name, one in config.channels.items()
        if one.url is not None
    )


def channel_urls(config: NotifyConfig) -> dict[str, Secret]:
    """Returns the address of each channel, with its credentials."""
    urls = {name: one.url for name, one in config.channels.items() if one.url is not None}
    return urls if config.mail_url is None else {MAIL: config.mail_url, **urls}


def notify_problems(config: NotifyConfig) -> list[str]:
    """Returns what is wrong with addresses and names, as `path: reason` lines that show no address."""
    problems = []
    if config.mail_url is not None and not _MAIL_SCHEME.match(config.mail_url.reveal()):
        problems.append("notify.mail_url: must begin with mailto:// or mailtos://")
    for name, one in config.channels.items():
        path = f"notify.channels.{name}"
        if name == MAIL:
            problems.append(f"{path}: this name is that of notify.mail_url; take another one")
        if one.url is None:
            problems.append(f"{path}.url: is needed, by url_file or the environment")
        elif not _SCHEME.fullmatch(one.url.reveal()):
            problems.append(f"{path}.url: must be an address such as discord://… or json://…")
    return problems


def _kinds(value: str) -> frozenset[NoticeKind] | None:
    names = _names(value)
    return None if names is None else frozenset(NoticeKind(name) for name in names)
