"""Tests here start processes that import test modules by name."""

from __future__ import annotations

import sys
from pathlib import Path

# A spawned process gets this process's sys.path; pytest's importlib mode does not put the repository on it.
sys.path.insert(0, str(Path(__file__).parents[2]))
