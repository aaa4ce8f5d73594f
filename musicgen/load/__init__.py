"""From a name to weights: the hub, a folder, AudioCraft's files, and what they say about themselves."""
