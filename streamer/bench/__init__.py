"""What this machine can do: what a step, the codec and both together cost, for any model and backend.

nano and models on this machine are loaded; the released ones get random weights of their shape, which cost the same,
so nothing is downloaded. Everything is measured in the middle of a piece, where it stays for ever: guidance on, the
shadow at work, so four rows a step (see :mod:`musicgen.past`), the music in chunks of one frame as it is played.
"""
