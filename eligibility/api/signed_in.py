"""Who of the staff is signed in on the calling terminal."""

from fastapi import Request

from eligibility.api.terminals import terminal
from eligibility.serving.callers import Staff, Terminal
from eligibility.staff import staff_of_token
from eligibility.verification import StaffNeeded

_SCHEME = "Bearer "
_LONGEST_TOKEN = 100


async def staff(request: Request) -> Staff:
    """Return the member of staff who is signed in on the calling terminal, as a route's dependency.

    Raises:
        Refusal: `caller_unknown`, as for any terminal.
        StaffNeeded: there is no token, or its session is not in force on this terminal.
    """
    return await staff_on(request, await terminal(request))


async def staff_on(request: Request, caller: Terminal) -> Staff:
    """Return the member of staff whose token the request carries.

    Raises:
        StaffNeeded: there is none, or its session is not in force on this terminal.
    """
    state = request.app.state
    return await staff_of_token(state.staff_door, caller, session_token(request), state.now())


def session_token(request: Request) -> str:
    """Return the token of the request's one Authorization header.

    Raises:
        StaffNeeded: there is no such header, or none of this form.
    """
    stated = request.headers.getlist("authorization")
    if len(stated) != 1 or not stated[0].startswith(_SCHEME) or len(stated[0]) > _LONGEST_TOKEN:
        raise StaffNeeded
    return stated[0].removeprefix(_SCHEME)
