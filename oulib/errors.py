"""The one exception a user can cause."""


class UserError(Exception):
    """A mistake the user can mend; the message says what is wrong, where, and what to do.

    The command line prints it and exits with status 2, without a traceback.
    """
