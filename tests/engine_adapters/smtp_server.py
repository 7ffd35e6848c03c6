"""A small real SMTP server on loopback, on trio (RFC 5321: EHLO, MAIL, RCPT, DATA, RSET, NOOP, QUIT, and AUTH PLAIN)."""

import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from functools import partial

import attrs
import trio


@attrs.frozen
class Mail:
    """What arrived: the envelope, and the message."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        found = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def part(self, kind: str) -> str:
        """The text of a part: plain or html."""
        body = self.message.get_body((kind,))
        assert body is not None
        return str(body.get_content())


@attrs.define
class SmtpServer:
    """Takes every mail unless told otherwise."""

    port: int = 0
    mails: list[Mail] = attrs.field(factory=list)
    connections: int = 0
    refuse: str | None = None
    """Answer to MAIL in its place, such as `451 later`."""
    refuse_recipient: str | None = None
    silent: bool = False
    """Takes connections and says nothing."""
    delay_s: float = 0
    """Between keeping a mail and saying so."""
    drop_after_data: bool = False
    """Keeps the mail and hangs up without an answer: nobody knows whether it has it."""

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        async with stream:
            if self.silent:
                await trio.sleep_forever()
            try:
                await _Session(self, stream).run()
            except (trio.BrokenResourceError, EOFError):
                return

    async def until(self, count: int, timeout_s: float = 20) -> list[Mail]:
        with trio.fail_after(timeout_s):
            while len(self.mails) < count:
                await trio.sleep(0.02)
        return self.mails


@attrs.define
class _Session:
    server: SmtpServer
    stream: trio.SocketStream
    rest: bytes = b""

    async def run(self) -> None:
        await self.say("220 test ESMTP")
        sender, recipients = "", list[str]()
        while True:
            line = (await self.line()).decode()
            verb = line[:4].upper()
            if verb == "EHLO":
                await self.say("250-test\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n250 SMTPUTF8")
            elif verb == "AUTH":
                await self.say("235 welcome")
            elif verb == "MAIL":
                sender, recipients = _address(line), []
                await self.say(self.server.refuse or "250 ok")
            elif verb == "RCPT":
                recipients.append(_address(line))
                await self.say(self.server.refuse_recipient or "250 ok")
            elif verb == "DATA":
                await self.say("354 go on")
                self.server.mails.append(Mail(sender, tuple(recipients), await self.data()))
                await trio.sleep(self.server.delay_s)
                if self.server.drop_after_data:
                    return
                await self.say("250 taken")
            elif verb == "QUIT":
                await self.say("221 bye")
                return
            else:
                await self.say("250 ok")

    async def say(self, text: str) -> None:
        await self.stream.send_all(text.encode() + b"\r\n")

    async def line(self) -> bytes:
        while b"\r\n" not in self.rest:
            part = await self.stream.receive_some(65_536)
            if not part:
                raise EOFError
            self.rest += part
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    async def data(self) -> bytes:
        lines = []
        while (line := await self.line()) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"\r\n".join(lines) + b"\r\n"


def _address(line: str) -> str:
    return line[line.index("<") + 1 : line.index(">")]


@asynccontextmanager
async def smtp_server(**options: object) -> AsyncIterator[SmtpServer]:
    server = SmtpServer(**options)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        server.port = listeners[0].socket.getsockname()[1]
        yield server
        nursery.cancel_scope.cancel()
