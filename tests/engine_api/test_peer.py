import pytest

from engine.api.peer import Peer, networks_of, peer_of

PROXY = "127.0.0.1, 10.0.0.0/8, fd00::/8"


def request(client, *headers):
    return {
        "client": client and (client, 1),
        "scheme": "http",
        "headers": [(a.encode(), b.encode()) for a, b in headers],
    }


FORWARDED = (("x-forwarded-for", "1.2.3.4, 198.51.100.9"), ("x-forwarded-proto", "https"))


@pytest.mark.parametrize("client", ["203.0.113.7", "11.0.0.1", "2001:db8::1", "", None])
def test_whom_nobody_trusts_is_believed_nothing(client):
    expected = Peer(address=client or "", is_https=False)
    assert peer_of(request(client, *FORWARDED), networks_of(PROXY)) == expected
    assert peer_of(request(client, *FORWARDED), ()) == expected


@pytest.mark.parametrize("client", ["127.0.0.1", "10.1.2.3", "fd00::7", "::ffff:10.1.2.3", "fd00::7%eth0"])
def test_a_trusted_proxy_says_who_asks_and_its_last_word_counts(client):
    trusted = networks_of(PROXY)
    assert peer_of(request(client, *FORWARDED), trusted) == Peer(address="198.51.100.9", is_https=True)
    twice = (("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "198.51.100.9"), ("x-forwarded-proto", "https, http"))
    assert peer_of(request(client, *twice), trusted) == Peer(address="198.51.100.9", is_https=False)
    assert peer_of(request(client), trusted) == Peer(address=client, is_https=False)


def test_networks_are_read_with_spaces_and_without_any():
    assert networks_of("") == networks_of(" , ") == ()
    assert [str(one) for one in networks_of("10.1.2.3/8, ::1")] == ["10.0.0.0/8", "::1/128"]
    with pytest.raises(ValueError, match="proxy"):
        networks_of("proxy.example")
