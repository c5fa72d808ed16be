"""What an error looks like on the wire (RFC 9457), and the two sentences each carries."""

from pydantic import Field

from eligibility.wire.encoding import Wire

PROBLEM_MEDIA_TYPE = "application/problem+json"


class Sentence(Wire):
    """One sentence in both languages."""

    ja: str
    en: str


class Fault(Wire):
    """One fault of a message: where (a JSON pointer) and what was expected."""

    pointer: str
    expected: str


class Problem(Wire):
    """application/problem+json: a stable code, a sentence for reception staff, one for the software vendor."""

    type: str
    title: str
    status: int
    code: str
    staff: Sentence
    vendor: Sentence
    faults: tuple[Fault, ...] = ()
    retry_after_s: int | None = Field(default=None, description="Also sent as Retry-After.")
