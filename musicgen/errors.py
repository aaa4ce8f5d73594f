"""The error a user can put right."""


class ModelError(ValueError):
    """A model cannot be had or used. The message is one sentence that says what to do."""
