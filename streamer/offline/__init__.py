"""Pieces in files: render, drafts, evaluate."""
