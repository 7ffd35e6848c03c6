import pytest

from config.http import HttpConfig
from config.loader import ConfigError, load_config
from config.login_urls import login_url_allowed


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "::1", "[::1]", "127.9.9.9"])
def test_on_loopback_without_real_money_there_are_login_urls(host):
    assert login_url_allowed(HttpConfig(host=host), is_money_real=False)
    assert not login_url_allowed(HttpConfig(host=host), is_money_real=True)
    assert not login_url_allowed(HttpConfig(host=host, login_url=False), is_money_real=False)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.168.1.7", "203.0.113.7", "engine.example.org", "localhost.example.org", "127.0.0.1.example"],
)
def test_elsewhere_there_are_none(host):
    assert not login_url_allowed(HttpConfig(host=host), is_money_real=False)


@pytest.mark.parametrize("value", ["", "127.0.0.1", "127.0.0.1, ::1", "10.0.0.0/8, fd00::/8", "192.168.1.7/24"])
def test_proxies_are_addresses_and_networks(value):
    assert load_config(environ={}, overrides={"http.trusted_proxies": value}).http.trusted_proxies == value


@pytest.mark.parametrize("value", ["*", "proxy.example.org", "10.0.0.0/33", "10.0.0.0/8; ::1"])
def test_anything_else_is_refused(value):
    with pytest.raises(ConfigError, match="trusted_proxies"):
        load_config(environ={}, overrides={"http.trusted_proxies": value})
