"""Values and how they change."""
