"""What is heard, encoded on its way to listeners elsewhere: Icecast, HLS, files."""
