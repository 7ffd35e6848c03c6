"""Makes one message of one or many notices: a title, a text and a page of HTML, each with a link to the settings."""

from collections.abc import Sequence

from actors.rules.notices.plain_text import for_chats, for_html, one_line
from actors.rules.notices.wording import Words, words_of
from protocols.notifications import Notice, OutgoingMessage
from protocols.timestamps import utc_datetime

SHOWN_MAX = 20
"""Of a longer digest the rest is counted; the API has all of it."""
TITLE_MAX = 150
_NO_LINK = "`polycopy notify preferences` or the API"


def message_of(
    notices: Sequence[Notice], *, number: int, channel: str, address: str | None, user_name: str, settings_url: str
) -> OutgoingMessage:
    """Returns the message about some notices of one user, the oldest first. `settings_url` may be empty."""
    said = [(utc_datetime(one.happened_ms).strftime("%Y-%m-%d %H:%M UTC"), words_of(one)) for one in notices]
    headline = said[0][1].headline
    title = headline if len(said) == 1 else f"{len(said)} notices: {headline}"
    rest = len(said) - SHOWN_MAX
    return OutgoingMessage(
        number=number,
        channel=channel,
        address=address,
        # A mail client shows its own sender; a chat may be that of several users.
        title=one_line(for_chats(f"[Polycopy] {title}" if address else f"[Polycopy] {user_name}: {title}"), TITLE_MAX),
        text=_text(said[:SHOWN_MAX], rest, settings_url),
        html=_html(said[:SHOWN_MAX], rest, settings_url),
    )


def _text(said: Sequence[tuple[str, Words]], rest: int, settings_url: str) -> str:
    blocks = []
    for moment, words in said:
        lines = [for_chats(words.headline), moment]
        lines += [f"{label}: {for_chats(value)}" for label, value in words.details]
        blocks.append("\n".join(lines))
    if rest > 0:
        blocks.append(f"And {rest} more; all of them: GET /api/notifications")
    blocks.append(f"--\nWhat you are told of, and when: {settings_url or _NO_LINK}")
    return "\n\n".join(blocks) + "\n"


def _html(said: Sequence[tuple[str, Words]], rest: int, settings_url: str) -> str:
    parts = [_article(moment, words) for moment, words in said]
    if rest > 0:
        parts.append(f"<p>And {rest} more; all of them: GET /api/notifications</p>")
    if settings_url:
        link = for_html(settings_url)
        parts.append(f'<p>What you are told of, and when: <a href="{link}">{link}</a></p>')
    else:
        parts.append(f"<p>What you are told of, and when: {for_html(_NO_LINK)}</p>")
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"></head>\n'
        f'<body style="font-family: sans-serif; max-width: 40em">\n{body}\n</body></html>\n'
    )


def _article(moment: str, words: Words) -> str:
    rows = "".join(
        f'<tr><td style="padding-right: 1em; color: #666">{for_html(label)}:</td><td dir="auto">{for_html(value)}</td></tr>\n'
        for label, value in words.details
    )
    return (
        f'<h3 dir="auto">{for_html(words.headline)}</h3>\n<p style="color: #666">{moment}</p>\n<table>\n{rows}</table>'
    )
