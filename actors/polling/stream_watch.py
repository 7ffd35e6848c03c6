"""Says whether the stream can be relied on, so that pollers need not ask for trades that it has brought."""

import attrs
import trio

from actors.gap_filler import GapFiller
from actors.stream_reader import StreamReader
from protocols.cluster import Membership, Role


@attrs.define(eq=False, kw_only=True)
class StreamWatch:
    """`StreamCoverage`: the socket is open, data arrives, and every gap is read, the second time too."""

    reader: StreamReader
    filler: GapFiller
    silence_max_s: float
    _since_s: float | None = attrs.field(init=False, default=None)
    _disturbances: int = attrs.field(init=False, default=-1)

    def covered_since_s(self) -> float | None:
        """Returns since when nothing was missed; None while something may have been."""
        now_s, reader = trio.current_time(), self.reader
        # What came and went between two looks counts as well; a planned change of sockets loses nothing.
        disturbances = reader.reconnects.total() - reader.reconnects["recycle"] + reader.overflowed
        arrives = reader.last_data_s is not None and now_s - reader.last_data_s < self.silence_max_s
        if not (reader.connected and arrives and self.filler.all_read):
            self._since_s = None
        elif self._since_s is None or disturbances != self._disturbances:
            self._since_s = now_s
        self._disturbances = disturbances
        return self._since_s


@attrs.define(eq=False, kw_only=True)
class ToldCoverage:
    """`StreamCoverage` of whoever ingests in another process, as it told the cluster last.

    What was told is taken for said just now, so that the coverage never begins too early: a wallet is rather read once more.
    """

    membership: Membership

    def covered_since_s(self) -> float | None:
        """Returns since when nothing was missed; None while something may have been, or while nobody ingests."""
        members = self.membership.view().members
        figures = [one.report.figures for one in members if Role.INGEST in one.report.working]
        if len(figures) != 1 or figures[0].stream_covered_s is None:
            return None
        return trio.current_time() - figures[0].stream_covered_s
