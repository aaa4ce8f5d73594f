"""MIDI: clock in and out, knobs and notes."""
