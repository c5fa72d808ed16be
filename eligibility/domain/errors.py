"""The roots of what can be wrong: a value that is malformed, a request that is refused."""


class DomainError(Exception):
    """Something the field does not allow. A subclass's docstring is its message."""

    def __str__(self) -> str:
        """Say what is wrong, never the value that was wrong."""
        said = super().__str__()
        return said or (self.__doc__ or "").strip().splitlines()[0]


class MalformedValue(DomainError, ValueError):
    """A value does not have the form its field asks for."""

    def __init__(self, *, field: str = "") -> None:
        super().__init__()
        self.field = field  # which value, where one message holds several


class Refused(DomainError):
    """A request is refused for a reason its caller is told, by a stable code."""

    code: str
    audited: bool = False  # set where the event of this very refusal has already been written
