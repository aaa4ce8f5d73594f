"""Open Sound Control for any table of parameters: a hardened reader, a UDP server, subscribers with feedback."""
