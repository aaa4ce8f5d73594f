"""The engine's process, and the ring between it and the callback."""
