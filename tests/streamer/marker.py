"""A module that can be seen to be imported, in whatever process."""

import os
from pathlib import Path

if "STREAMER_MARK" in os.environ:
    Path(os.environ["STREAMER_MARK"]).touch()
