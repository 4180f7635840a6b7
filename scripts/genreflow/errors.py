"""The one exception that is meant for users."""


class GenreflowError(Exception):
    """Something that the user can mend.

    The message names the file, key or track, says what was expected, and what to do.
    Scripts show it without a traceback.
    """
