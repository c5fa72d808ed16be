"""Messages as dataclasses whose fields name their elements: read by name, never by position, and written back.

A field says its element, its form and whether it must be there; reading collects every fault before it refuses.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar
from xml.etree.ElementTree import Element, SubElement

from eligibility.domain.codes import FieldCode
from eligibility.domain.dates import JAPAN, parse_date
from eligibility.domain.errors import DomainError
from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.problems import Sentence

MAX_FAULTS: Final = 20
_BLANKS: Final = " \t\r\n"
_MUNICIPAL_PADDING: Final = "00"
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one element: where, and what was expected; never what was there."""

    path: str
    expected: Sentence


class MessageWrong(DomainError):
    """A message lacks an element, or one has another form than its field asks for."""

    code = "malformed"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__()
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written in an element, and what is said where it is not."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    expected: Sentence


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field stands in its parent, and as what."""

    path: str
    form: Form | None  # None: the field is a message of its own
    message: type[Any] | None
    required: bool
    several: bool
    also: tuple[str, ...]
    anywhere: bool


def element(path: str, form: Form, *, required: bool = False, also: tuple[str, ...] = ()) -> Any:
    """Return a field that is one element; `also` are other names under which it is taken."""
    return _field(_Place(path, form, None, required, False, also, False))


def group(path: str, message: type[Any], *, required: bool = False) -> Any:
    """Return a field that is an element with elements of its own."""
    return _field(_Place(path, None, message, required, False, (), False))


def several(path: str, message: type[Any], *, required: bool = False, anywhere: bool = False) -> Any:
    """Return a field that is any number of such elements; `anywhere` takes them from any depth."""
    return _field(_Place(path, None, message, required, True, (), anywhere))


def _field(place: _Place) -> Any:
    metadata = {"place": place}
    if place.several:
        return dataclasses.field(default=(), metadata=metadata)
    return (
        dataclasses.field(metadata=metadata) if place.required else dataclasses.field(default=None, metadata=metadata)
    )


def read(message: type[M], source: Element) -> M:
    """Read a message.

    Raises:
        MessageWrong: with all that is wrong with it.
    """
    faults: list[Fault] = []
    found = _read(message, source, "", faults)
    if faults:
        raise MessageWrong(tuple(faults[:MAX_FAULTS]))
    return found  # type: ignore[no-any-return]


def write(message: Any, target: Element) -> None:
    """Add a message's elements to one; what is None is left out."""
    for name, place in _places(type(message)):
        value = getattr(message, name)
        for one in value if place.several else (value,) if value is not None else ():
            parent = target
            *above, last = place.path.split("/")
            for step in above:
                there = parent.find(step)
                parent = SubElement(parent, step) if there is None else there
            if place.form is None:
                write(one, SubElement(parent, last))
            else:
                SubElement(parent, last).text = place.form.write(one)


def _places(message: type[Any]) -> Iterator[tuple[str, _Place]]:
    for field in dataclasses.fields(message):
        yield field.name, field.metadata["place"]


def _read(message: type[Any], source: Element, above: str, faults: list[Fault]) -> Any:
    values: dict[str, Any] = {}
    before = len(faults)
    for name, place in _places(message):
        found = _find(source, place)
        path = f"{above}/{place.path}"
        if len(found) > 1 and not place.several:
            faults.append(Fault(path, ONCE))
        elif place.required and not found:
            faults.append(Fault(path, REQUIRED))
        elif place.several:
            values[name] = tuple(_one(place, one, path, faults) for one in found)
        elif found:
            values[name] = _one(place, found[0], path, faults)
    return message(**values) if len(faults) == before else None


def _find(source: Element, place: _Place) -> list[Element]:
    if place.anywhere:
        return list(source.iter(place.path))
    found = [one for path in (place.path, *place.also) for one in source.iterfind(path)]
    # An empty element says nothing; a group without elements neither.
    return [one for one in found if len(one) or (one.text or "").strip(_BLANKS)]


def _one(place: _Place, found: Element, path: str, faults: list[Fault]) -> Any:
    if place.form is None:
        return _read(place.message or object, found, path, faults)
    try:
        if len(found):
            raise ValueError("elements where a text belongs")
        return place.form.read((found.text or "").strip(_BLANKS))
    except ValueError:
        faults.append(Fault(path, place.form.expected))
        return None


REQUIRED: Final = Sentence(ja="必須の要素です", en="an element that must be there")
ONCE: Final = Sentence(ja="一つだけの要素です", en="an element that is there once")


# ── Forms ───────────────────────────────────────────────────────────────────────────────────────────────────────


def text(longest: int) -> Form:
    """Return the form of a text of at most so many characters."""

    def read_text(found: str) -> str:
        if len(found) > longest:
            raise ValueError("too long")
        return found

    return Form(read_text, str, Sentence(ja=f"{longest}文字以内", en=f"at most {longest} characters"))


def digits(shortest: int, longest: int) -> Form:
    """Return the form of digits alone."""

    def read_digits(found: str) -> str:
        if not (found.isascii() and found.isdigit() and shortest <= len(found) <= longest):
            raise ValueError("no digits")
        return found

    length = f"{shortest}" if shortest == longest else f"{shortest}–{longest}"
    return Form(read_digits, str, Sentence(ja=f"数字{length}桁", en=f"{length} digits"))


def number(width: int = 1) -> Form:
    """Return the form of a whole number, written with leading zeros."""
    form = digits(1, 9)
    return Form(lambda found: int(form.read(found)), lambda value: f"{value:0{width}}", form.expected)


def code(codes: type[FieldCode]) -> Form:
    """Return the form of a code of a list."""
    known = ", ".join(one.value for one in codes)
    return Form(codes, lambda value: str(value.value), Sentence(ja=f"コード {known}", en=f"one of {known}"))


def lenient(form: Form, longest: int) -> Form:
    """Return a form that keeps as text what has another form: it is judged alone, not with its whole file."""

    def read_leniently(found: str) -> Any:
        try:
            return form.read(found)
        except ValueError:
            return text(longest).read(found)

    def write_leniently(value: Any) -> str:
        return value if isinstance(value, str) else form.write(value)

    return Form(read_leniently, write_leniently, form.expected)


def _read_moment(found: str) -> datetime:
    if len(found) != len("yyyyMMddHHmmss") or not (found.isascii() and found.isdigit()):
        raise ValueError("no moment")
    return datetime.strptime(found, "%Y%m%d%H%M%S").replace(tzinfo=JAPAN)


def _write_moment(moment: datetime) -> str:
    return f"{moment.astimezone(JAPAN):%Y%m%d%H%M%S}"


def _read_month(found: str) -> str:
    if len(found) != len("yyyyMM") or not (found.isascii() and found.isdigit()):
        raise ValueError("no month")
    date(int(found[:4]), int(found[4:]), 1)
    return f"{found[:4]}-{found[4:]}"


def _write_insurer(insurer: InsurerNumber) -> str:
    # A municipal insurer's six digits are padded with spaces; the zeros are ours.
    digits_ = insurer.digits
    return "  " + digits_[2:] if digits_.startswith(_MUNICIPAL_PADDING) else digits_


DATE: Final = Form(parse_date, lambda day: f"{day:%Y%m%d}", Sentence(ja="日付 yyyyMMdd", en="a date, yyyyMMdd"))
MONTH: Final = Form(_read_month, lambda month: str(month).replace("-", ""), Sentence(ja="年月 yyyyMM", en="yyyyMM"))
MOMENT: Final = Form(_read_moment, _write_moment, Sentence(ja="日時 yyyyMMddHHmmss", en="a moment, yyyyMMddHHmmss"))
INSURER: Final = Form(
    InsurerNumber.parse,
    _write_insurer,
    Sentence(ja="保険者番号(8桁、6桁の番号は前に空白2つ)", en="8 digits, six of them after two spaces"),
)
BRANCH: Final = digits(2, 2)
PERCENT: Final = number(3)
