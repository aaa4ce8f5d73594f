"""Effects of others: LV2 and VST3 plug-ins, each in a process of its own, on the stream's sound."""
