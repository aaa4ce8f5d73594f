"""Controls and a stream of music -> blocks of audio."""
