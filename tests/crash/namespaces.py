"""Hosts of a network of the test's own: a bridge and namespaces with one address each; links can be cut and healed.

Nothing of it has a name on the machine: a namespace is held open by a descriptor of this process, and is gone with it and with
whoever runs inside. A cut is silent, as a pulled cable is: both sides keep sending to a hardware address that nobody has, and
hear nothing, not even a refusal.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import attrs
import pytest

CLONE_NEWNET = 0x40000000
OWN = "/proc/self/ns/net"
NOWHERE = "02:00:00:00:ff:ff"
HERE = "venue"
"""The host of the test itself, and of the venue that it plays."""
_libc = ctypes.CDLL(None, use_errno=True)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _new_namespace() -> int:
    """Returns a descriptor of a namespace of its own; the calling thread stays where it was."""
    before = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        found = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        _enter(before)
        return found
    finally:
        os.close(before)


@attrs.define(eq=False, kw_only=True)
class Network:
    """Hosts by name. The calling thread is on the host `HERE` until the network ends."""

    hosts: dict[str, int]
    """By name: the descriptor of its namespace."""
    _bridge: int

    def address(self, host: str) -> str:
        """Where all others find it."""
        return f"10.77.0.{self._number(host)}"

    @contextmanager
    def on(self, host: str) -> Iterator[None]:
        """What is started and bound in this block runs on that host. No await may happen inside: tasks share the thread."""
        _enter(self.hosts[host])
        try:
            yield
        finally:
            _enter(self.hosts[HERE])

    def cut(self, one: str, other: str) -> None:
        """From now on neither hears anything of the other."""
        for near, far in ((one, other), (other, one)):
            self._neighbour(near, far, NOWHERE)

    def heal(self, one: str, other: str) -> None:
        """Undoes a cut."""
        for near, far in ((one, other), (other, one)):
            self._neighbour(near, far, self._hardware(far))

    def _number(self, host: str) -> int:
        return list(self.hosts).index(host) + 1

    def _hardware(self, host: str) -> str:
        return f"02:00:00:00:00:{self._number(host):02x}"

    def _neighbour(self, near: str, far: str, hardware: str) -> None:
        with self.on(near):
            _ip("neigh", "replace", self.address(far), "lladdr", hardware, "dev", "eth0", "nud", "permanent")

    def connect(self) -> None:
        """Lays a cable from each host to the bridge."""
        _enter(self._bridge)
        _ip("link", "add", "bridge", "type", "bridge", "forward_delay", "0")
        _ip("link", "set", "bridge", "up")
        for host, descriptor in self.hosts.items():
            number = self._number(host)
            place = f"/proc/{os.getpid()}/fd/{descriptor}"
            _ip("link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", place)
            _ip("link", "set", f"port{number}", "master", "bridge", "up")
            _enter(descriptor)
            _ip("link", "set", "lo", "up")
            _ip("link", "set", "eth0", "address", self._hardware(host), "up")
            _ip("address", "add", f"{self.address(host)}/24", "dev", "eth0")
            _enter(self._bridge)
        _enter(self.hosts[HERE])


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=10)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@contextmanager
def network(hosts: Sequence[str]) -> Iterator[Network]:
    """Hosts that reach each other and nothing else; `HERE` is added. Skips the test where a machine does not allow it."""
    before = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    opened: list[int] = []
    try:
        try:
            bridge, *others = opened = [_new_namespace() for _ in range(len(hosts) + 2)]
            made = Network(hosts=dict(zip((HERE, *hosts), others, strict=True)), bridge=bridge)
            made.connect()
        except OSError as error:
            pytest.skip(f"network namespaces cannot be made here: {error}")
        yield made
    finally:
        _enter(before)
        for descriptor in (before, *opened):
            os.close(descriptor)
