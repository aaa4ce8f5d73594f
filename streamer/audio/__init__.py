"""Devices and the callback."""
