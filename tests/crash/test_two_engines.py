import signal

from crash.engine_process import engine_process
from simulation.ingest_world import ingest_world

QUIET = {"seed": 2, "wallets": 100, "lag_scale": 0, "cache_scale": 0}


async def test_the_second_engine_names_the_lease_it_lacks_and_takes_over_when_the_first_stops(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world:
        settings = {**world.settings, "limits.lease_ttl_s": "3"}
        async with engine_process(settings) as first:
            await first.until_ready()
            async with engine_process(settings) as second:
                await second.until_not_ready_because("lease ingest is held by")
                sockets = (await world.state())["connections"]["now"]
                assert sockets == 1, "the standby must not read the stream"
                first.send(signal.SIGTERM)
                assert await first.wait() == 0
                await second.until_ready(timeout_s=60)


async def test_a_killed_engines_lease_runs_out(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world:
        settings = {**world.settings, "limits.lease_ttl_s": "2"}
        async with engine_process(settings) as first:
            await first.until_ready()
            first.send(signal.SIGKILL)
            await first.wait()
        async with engine_process(settings) as second:
            await second.until_ready(timeout_s=60)


async def test_an_engine_that_slept_past_its_lease_is_fenced_off(database, tmp_path):
    """SIGSTOP past the lease, take-over, SIGCONT: the sleeper writes nothing more and stands by."""
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world:
        first_settings = {**world.settings, "limits.lease_ttl_s": "2"}
        second_settings = {**first_settings, "writer.spill_dir": str(tmp_path / "other-spill")}
        async with engine_process(first_settings) as first:
            await first.until_ready()
            first.send(signal.SIGSTOP)
            async with engine_process(second_settings) as second:
                await second.until_ready(timeout_s=60)
                epochs = await world.fetch("SELECT epoch FROM engine_leases WHERE name = 'ingest'")
                first.send(signal.SIGCONT)
                await first.until_not_ready_because("lease ingest is held by")
                status, state = await second.readyz() or (0, None)
                assert status == 200, f"{state}; {second.log_text()}"
                assert await world.fetch("SELECT epoch FROM engine_leases WHERE name = 'ingest'") == epochs


async def test_a_journal_that_a_stalled_engine_still_holds_is_waited_for(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world:
        settings = {**world.settings, "limits.lease_ttl_s": "2"}
        async with engine_process(settings) as first:
            await first.until_ready()
            first.send(signal.SIGSTOP)
            async with engine_process(settings) as second:
                await second.until_not_ready_because("is used by another process")
                first.send(signal.SIGKILL)
                await second.until_ready(timeout_s=60)
