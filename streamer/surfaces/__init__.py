"""What steers the instrument from outside."""
