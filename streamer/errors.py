"""What goes wrong by the user's hand, said so that the user can put it right."""


class UserError(Exception):
    """Something only the user can put right.

    The message is one sentence that says what is wrong and what to do. The command line prints it and leaves with exit
    code 2; everything else that escapes is a bug of ours.
    """


def reason(error: BaseException) -> str:
    """What went wrong, in the system's own words where it has some."""
    return str(getattr(error, "strerror", None) or error)
