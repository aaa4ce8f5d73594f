"""Many listeners, each with a stream of their own: sessions of one model in one batch, over HTTP."""
