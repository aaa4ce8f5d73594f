"""Which addresses may be sent to: a UDP sender's address can be forged, and its owner must not be flooded for it.

On this machine all may. Beyond it a receiver first has to send back a cookie that only it can have read. Until then a
host is sent at most `FACTOR` times the bytes that came from it, whatever they asked for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from osc.hosts import Address, is_local, is_stream
from osc.recent import Recent
from osc.values import BadValue

FACTOR = 3
"""Bytes out for each byte in, to a host that has confirmed nothing."""
LARGEST_CREDIT = 65536
"""Bytes that a host can save up, so that a long quiet stream of messages buys no burst."""
CONFIRMED = 3600.0
"""Seconds that a confirmation holds. From half of it on a new cookie is sent along."""
MOST_HOSTS, MOST_RECEIVERS, MOST_OF_A_HOST = 1024, 256, 16
"""Hosts whose bytes are counted, receivers that are confirmed, and those of them on one host."""
_COOKIE_CHARACTERS = 9  # 54 bits; with a port it makes a message smaller than 3 times the smallest subscribe


class ReturnPaths:
    """Counts bytes in and out by host, and knows which receivers have sent their cookie back.

    All times are seconds on the desk's clock.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._credit: Recent[str, int] = Recent(MOST_HOSTS)
        # When each was confirmed.
        self._confirmed: Recent[Address, float] = Recent(MOST_RECEIVERS)

    def received(self, host: str, size: int) -> None:
        """Count bytes that came from a host."""
        if not is_local(host):
            self._credit[host] = min(LARGEST_CREDIT, (self._credit.get(host) or 0) + FACTOR * size)

    def spend(self, target: Address, size: int, now: float) -> bool:
        """Whether a datagram of `size` bytes may be sent; if so its bytes are counted."""
        if self.confirmed(target, now):
            return True
        credit = self._credit.get(target[0]) or 0
        if size > credit:
            return False
        self._credit[target[0]] = credit - size
        return True

    def confirmed(self, target: Address, now: float) -> bool:
        """Whether a receiver is known to want what it is sent."""
        if is_local(target[0]) or is_stream(target):
            return True
        found = self._confirmed.get(target)
        return found is not None and now < found + CONFIRMED

    def wants_cookie(self, target: Address, now: float) -> bool:
        """Whether a receiver has to confirm, for the first time or soon again."""
        return not self.confirmed(target, now + CONFIRMED / 2)

    def cookie(self, target: Address, now: float) -> str:
        """What a receiver has to send back: its port, and a code that nobody else can make and that ages."""
        digest = hmac.digest(self._key, repr((*target[:2], now // CONFIRMED)).encode(), hashlib.sha256)
        return f"{target[1]}.{base64.urlsafe_b64encode(digest)[:_COOKIE_CHARACTERS].decode()}"

    def confirm(self, source: Address, cookie: str, now: float) -> Address:
        """Take a cookie back, from any port of its host; returns the receiver that is confirmed by it.

        Raises
        ------
        BadValue
            When no such cookie was sent to this host lately.
        """
        port = cookie.partition(".")[0]
        target = (source[0], int(port) if port.isdecimal() and len(port) < 6 else 0, *source[2:])
        sent = cookie.encode("utf-8", "replace")
        if not any(hmac.compare_digest(sent, self.cookie(target, at).encode()) for at in (now, now - CONFIRMED)):
            raise BadValue("takes the text that this address was sent, and this is none")
        self.accept(target, now)
        return target

    def accept(self, target: Address, now: float) -> None:
        """Have a receiver confirmed. One host can only push out its own."""
        others = [known for known in self._confirmed.oldest_first() if known[0] == target[0] and known != target]
        if len(others) >= MOST_OF_A_HOST:
            self._confirmed.pop(others[0])
        self._confirmed[target] = now
