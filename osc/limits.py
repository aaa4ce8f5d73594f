"""How many complaints a client is sent, so that a client that errs all the time is told now and then."""

from __future__ import annotations

from dataclasses import dataclass

from osc.hosts import Address
from osc.recent import Recent

ERRORS_PER_SECOND, ERRORS_AT_ONCE = 5.0, 20.0
"""How many complaints one client is sent: steadily, and in a burst."""
CLIENTS_REMEMBERED = 256


@dataclass
class _Budget:
    """How many complaints a client may still be sent, and how many it was spared since the last."""

    left: float
    updated: float
    spared: int = 0


class Complaints:
    """A budget for each client that erred lately."""

    def __init__(self) -> None:
        self._budgets: Recent[Address, _Budget] = Recent(CLIENTS_REMEMBERED)

    def __len__(self) -> int:
        """Clients that are remembered."""
        return len(self._budgets)

    def spend(self, source: Address, now: float) -> int | None:
        """Take one complaint from a client's budget: how many it was spared before, or None when nothing is left."""
        budget = self._budgets.get(source)
        if budget is None:
            budget = self._budgets[source] = _Budget(ERRORS_AT_ONCE, now)
        budget.left = min(ERRORS_AT_ONCE, budget.left + (now - budget.updated) * ERRORS_PER_SECOND)
        budget.updated = now
        if budget.left < 1:
            budget.spared += 1
            return None
        budget.left -= 1
        spared, budget.spared = budget.spared, 0
        return spared
