"""Pages that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.streamer.page.paged import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page of this machine."""
    from tests.streamer.page.paged import Stage

    made = Stage(tmp_path_factory.mktemp("snapshots"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page that needs a token."""
    from tests.streamer.page.paged import Stage

    made = Stage(tmp_path_factory.mktemp("snapshots"), token="0123456789abcdef")
    yield made
    made.close()
