"""Loudness, fader, limiter, meters."""
