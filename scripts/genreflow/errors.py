"""The exceptions that are meant for users."""


class GenreflowError(Exception):
    """Something that the user can mend.

    The message names the file, key or track, says what was expected, and what to do.
    Scripts show it without a traceback.
    """


class NotPossible(GenreflowError):  # noqa: N818 (an outcome, not a fault)
    """The data don't allow this learner, while everything is in order otherwise.

    The message is the reason. The learner ends with it; all others go on.
    """


class Unusable(GenreflowError):  # noqa: N818 (an outcome, not a fault)
    """A clip that can't be used for something: too short, at too low a rate.

    The message is the reason. The clip is left out, counted and named.
    """
