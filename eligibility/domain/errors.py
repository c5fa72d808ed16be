"""The root of what can be wrong with a value of the field."""


class DomainError(Exception):
    """Something the field does not allow. A subclass's docstring is its message."""

    def __str__(self) -> str:
        """Say what is wrong, never the value that was wrong."""
        said = super().__str__()
        return said or (self.__doc__ or "").strip().splitlines()[0]


class MalformedValue(DomainError, ValueError):
    """A value does not have the form its field asks for."""
