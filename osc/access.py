"""Who may do what: this machine, networks that may steer or only watch, a shared secret.

A sender's address is all that UDP tells of it, and beyond this machine it can be forged. So a network that is allowed
keeps out strangers who do not know which addresses are, the secret keeps out those who cannot listen in, and neither
makes a venue's network a safe one.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntEnum

from osc.hosts import Address, Network, is_local, narrowest
from osc.recent import Recent

SHORTEST_SECRET = 8
REMEMBERED = 256
"""Clients that have said the secret, and hosts whose rights are worked out."""


class Right(IntEnum):
    """What a client may do; each includes those before it."""

    NOTHING = 0
    WATCH = 1
    STEER = 2


@dataclass(frozen=True)
class Access:
    """The rules for clients that are not on this machine, which always may steer.

    Parameters
    ----------
    allow : tuple of networks
        If there are any, nobody else is heard.
    read_only : tuple of networks
        Who may ask and subscribe, but change nothing. Where a network of `allow` lies inside one of these it may steer.
    secret : str
        What a client has to say before anything else; "" for none.
    keep : tuple of networks
        Who may, of those that steer, also have files written and inputs listened to, without a secret.

    Raises
    ------
    ValueError
        For a secret that is soon guessed.
    """

    allow: tuple[Network, ...] = ()
    read_only: tuple[Network, ...] = ()
    secret: str = ""
    keep: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        if self.secret and len(self.secret) < SHORTEST_SECRET:
            raise ValueError(f"the OSC secret is soon guessed: choose one of at least {SHORTEST_SECRET} characters")

    def right(self, host: str) -> Right:
        """What a host may do; the narrowest network that it lies in decides, and watching where two are alike."""
        if is_local(host):
            return Right.STEER
        steers = narrowest(host, self.allow)
        watches = narrowest(host, self.read_only)
        if watches >= 0:
            return Right.STEER if steers > watches else Right.WATCH
        return Right.STEER if steers >= 0 or not self.allow else Right.NOTHING

    def opens(self, host: str) -> bool:
        """Whether a host may look without saying the secret."""
        return is_local(host) or (self.right(host) is not Right.NOTHING and not self.secret)


NO_RULES = Access()
"""Who reaches the server may steer."""


class Gate:
    """Applies the rules, and remembers who has said the secret."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._rights: Recent[str, Right] = Recent(REMEMBERED)
        self._unlocked: Recent[Address, bool] = Recent(REMEMBERED)

    def right(self, host: str) -> Right:
        """What a host may do, once it has said the secret."""
        found = self._rights.get(host)
        if found is None:
            found = self._rights[host] = self._access.right(host)
        return found

    def keeps(self, source: Address) -> bool:
        """Whether a client may have files written here, and inputs heard: on this machine, by the secret, or allowed.

        To steer is not enough: what is steered is over when the music is, and files stay.
        """
        said = bool(self._access.secret) and bool(self._unlocked.get(source))
        return is_local(source[0]) or said or narrowest(source[0], self._access.keep) >= 0

    def locked(self, source: Address) -> bool:
        """Whether a client has yet to say the secret."""
        return bool(self._access.secret) and not is_local(source[0]) and not self._unlocked.get(source)

    def unlock(self, source: Address, secret: str) -> bool:
        """Let a client in that says the secret; returns whether it did."""
        if not hmac.compare_digest(secret.encode("utf-8", "replace"), self._access.secret.encode("utf-8", "replace")):
            return False
        self._unlocked[source] = True
        return True
