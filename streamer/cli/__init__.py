"""The `streamer` command."""
