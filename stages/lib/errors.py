"""The one exception that a user is meant to read."""


class InputError(ValueError):
    """Bad input from outside: the message names what is wrong, where, and the remedy.

    Stages print it without a traceback and exit with 1; everything else is a bug and keeps its traceback.
    """
