"""What the stream of the feed may cost."""

import attrs


@attrs.frozen(kw_only=True)
class FeedBounds:
    """Sizes and times of the hub; the defaults suit a machine of 256 MB."""

    ring_events_max: int = 2_000
    ring_bytes_max: int = 4 << 20
    batch_rows: int = 500
    """Trades read at once."""
    poll_s: float = 1.0
    """How late a trade may be when nobody says that one was committed."""
    pause_s: float = 0.02
    """Between two readings, so that many small commits become one."""
    follows_interval_s: float = 2.0
    """Between two readings of changed follows."""
    keep_alive_s: float = 15.0
    chunk_bytes_max: int = 32 << 10
    """What one client is handed at once, and all that it costs when it does not read."""
    catch_up_span: int = 20_000
    """How far before the ring, in `ingest_seq`, a client may resume from the database."""
    catch_up_rows: int = 1_000
    """How many trades it may be sent from there before it has to read pages instead."""
    catch_up_page_rows: int = 200
    catch_ups_max: int = 2
    """Clients that read the database at the same time; others wait for their turn."""
    join_timeout_s: float = 5.0
