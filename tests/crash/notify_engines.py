"""Engines that mail notices to a real SMTP server, as processes to be killed."""

import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio
from engine_adapters.smtp_server import SmtpServer, smtp_server
from simulation.ingest_world import IngestWorld, ingest_world

PASSWORD = "s3cret-pass-of-mail"
QUIET = {"seed": 2, "wallets": 100, "lag_scale": 0, "cache_scale": 0, "start_paused": True}
USER = "INSERT INTO profiles (user_name, email) VALUES ($1, $1 || '@example.org') ON CONFLICT DO NOTHING"
NOTICE = """
INSERT INTO notifications (user_id, kind, subject_key, payload)
SELECT id, 'order_filled', $2, jsonb_build_object('market', 'market ' || $2, 'side', 'BUY', 'status', 'FILLED')
FROM profiles WHERE user_name = $1
"""
HURRY = "UPDATE notification_deliveries SET next_try_at = now() WHERE status = 'pending'"
SENT = "SELECT count(*) AS n FROM notification_deliveries WHERE status = 'sent'"


@attrs.define
class NotifyWorld:
    world: IngestWorld
    mails: SmtpServer
    settings: dict[str, str]
    noted: int = 0

    async def note(self, count: int, users: int = 4) -> None:
        """More things to be told, to several users in turn."""
        for _ in range(count):
            user = f"user{self.noted % users}"
            await self.world.fetch(USER, user)
            await self.world.fetch(NOTICE, user, f"{self.noted:04}")
            self.noted += 1

    def arrived(self) -> Counter[str]:
        """How often each notice is in a mail."""
        texts = [mail.part("plain") for mail in self.mails.mails]
        return Counter({f"{n:04}": sum(f"market {n:04}" in text for text in texts) for n in range(self.noted)})

    async def until_all_sent(self, timeout_s: float = 90, *, hurry: bool = True) -> None:
        """Retries are not waited for: they are minutes apart."""
        with trio.fail_after(timeout_s):
            while (await self.world.fetch(SENT))[0]["n"] < self.noted:
                if hurry:
                    await self.world.fetch(HURRY)
                await trio.sleep(0.2)


@asynccontextmanager
async def notify_world(database, home: Path, **mail_server) -> AsyncIterator[NotifyWorld]:
    async with smtp_server(**mail_server) as mails, ingest_world(database, home / "spill", **QUIET) as world:
        secret = home / "mail-url"
        secret.write_text(f"mailto://sender:{PASSWORD}@127.0.0.1:{mails.port}/?from=copies@example.org&mode=insecure")
        secret.chmod(0o600)
        own = {
            "notify.enabled": "true", "notify.mail_url_file": str(secret), "notify.digest_window_s": "0",
            "notify.send_timeout_s": "6", "logging.format": "json", "limits.lease_ttl_s": "2",
        }  # fmt: skip
        yield NotifyWorld(world, mails, {**world.settings, **own})


def sending_processes(engine_pid: int) -> list[int]:
    """Processes of an engine that send messages."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(path.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            if parent == engine_pid and b"engine.notify_process" in path.joinpath("cmdline").read_bytes():
                found.append(int(path.name))
        except (OSError, ValueError):
            continue
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
