"""A programme: what plays when, for months, from a file that people write."""
