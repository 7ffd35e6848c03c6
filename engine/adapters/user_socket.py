"""The user socket of one account (venue.md §2.2), over the same kind of connection as the stream of trades."""

import logging
from collections.abc import Callable, Sequence

import attrs

from engine.adapters.clob_account_api import ClobAccountApi
from engine.adapters.rtds_socket import RtdsDialer
from protocols.errors import MalformedError
from protocols.ingest import WebSocketLike
from protocols.live.watching import UserNews, UserSocket
from protocols.venue.clob_account import OwnWallet
from protocols.venue.clob_user import read_user_frame, subscribe_frame

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class ClobUserSocket:
    """An open, authenticated socket (`UserSocket`)."""

    socket: WebSocketLike
    own: OwnWallet
    malformed: Callable[[], None]

    async def receive(self, news_max: int) -> Sequence[UserNews]:
        """Waits for a frame, then takes what is there; a frame that is not understood is counted and left out."""
        news: list[UserNews] = []
        for frame in await self.socket.receive_many(news_max):
            try:
                text = frame.decode() if isinstance(frame, bytes) else frame
                news += read_user_frame(text, self.own)
            except (MalformedError, UnicodeDecodeError) as error:
                # What it was about is asked for all the same.
                self.malformed()
                _log.warning("a frame of the user socket was not understood", extra={"error": str(error)[:200]})
        return news

    async def ping(self) -> None:
        """Sends PING."""
        await self.socket.send("PING")

    async def aclose(self) -> None:
        """Closes the socket."""
        await self.socket.aclose()


@attrs.define(eq=False, kw_only=True)
class ClobUserDialer:
    """`UserSocketDialer` of one account."""

    dialer: RtdsDialer
    api: ClobAccountApi
    malformed: int = attrs.field(init=False, default=0)

    async def dial(self) -> UserSocket:
        """Connects and subscribes to everything of the account. Raises `TransientError` and `RejectedError`."""
        creds = await self.api.creds()
        socket = await self.dialer.dial()
        try:
            await socket.send(subscribe_frame(creds))
        except BaseException:
            await socket.aclose()
            raise
        return ClobUserSocket(socket=socket, own=self.api.own(), malformed=self._count)

    def _count(self) -> None:
        self.malformed += 1
