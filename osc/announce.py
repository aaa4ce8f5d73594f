"""Telling the network that there is an OSC server, by multicast DNS: `_osc._udp` and `_oscjson._tcp`."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import ifaddr
from zeroconf import InterfaceChoice, IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

OSC, QUERY = "_osc._udp.local.", "_oscjson._tcp.local."


class Announcement:
    """Both services under one name. It goes where they can be reached: what this machine keeps to itself stays here.

    Parameters
    ----------
    name : str
        Shown to people; where another has it already, a number is put behind it.
    hosts : sequence of str
        Addresses that the services listen on.
    query_port, osc_port : int
    """

    def __init__(self, name: str, hosts: Sequence[str], query_port: int, osc_port: int) -> None:
        self._hosts = [host for host in hosts if ":" not in host]
        everywhere = "0.0.0.0" in self._hosts or not self._hosts
        reached = [own for own in _addresses() if own != "127.0.0.1"] if everywhere else self._hosts
        self._interfaces: list[str] | InterfaceChoice = InterfaceChoice.All if everywhere else self._hosts
        server = f"streamer-{socket.gethostname().partition('.')[0]}-{query_port}.local."
        self._services = [
            ServiceInfo(
                kind,
                f"{name}.{kind}",
                port=port,
                properties={"txtvers": "1"},
                server=server,
                parsed_addresses=reached or ["127.0.0.1"],
            )
            for kind, port in ((QUERY, query_port), (OSC, osc_port))
        ]
        self._zeroconf: AsyncZeroconf | None = None

    async def make(self) -> None:
        """Announce them, until `withdraw`.

        Raises
        ------
        Exception
            The network does not let us: zeroconf's and the system's own errors.
        """
        self._zeroconf = AsyncZeroconf(interfaces=self._interfaces, ip_version=IPVersion.V4Only)
        for service in self._services:
            await (await self._zeroconf.async_register_service(service, allow_name_change=True))

    async def withdraw(self) -> None:
        """Say that they are gone."""
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()


def _addresses() -> list[str]:
    """This machine's, of IPv4."""
    return [str(own.ip) for adapter in ifaddr.get_adapters() for own in adapter.ips if own.is_IPv4]
