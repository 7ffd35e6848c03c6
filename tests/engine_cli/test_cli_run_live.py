"""`polycopy run --live` with keys that cannot be used."""

import pytest
from engine_cli.cli_process import invoke


@pytest.mark.parametrize("trouble", ["missing", "readable"])
def test_a_key_that_cannot_be_used_ends_the_command_before_anything_starts(tmp_path, trouble):
    key = tmp_path / "main.key"
    if trouble == "readable":
        key.write_text("11" * 32)
        key.chmod(0o644)
    env = {
        "POLYCOPY_LIVE__ENABLED": "true",
        "POLYCOPY_LIVE__ACCOUNTS__MAIN__KEY_FILE": str(key),
        "POLYCOPY_DATABASE__DATA_DIR": str(tmp_path / "postgres"),
    }
    refused = invoke("run", "--live", env=env)
    assert refused.returncode == 2
    assert str(key) in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "postgres").exists()
