"""What is refused: an input or a wish that Ictal will not serve, said to a person in one sentence."""


class Refused(Exception):
    """Shown without a traceback, exit code 2: the value, the limit, the next step; never patient data."""
