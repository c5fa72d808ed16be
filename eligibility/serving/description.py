"""What the published description of an interface says of its callers and problems, in OpenAPI's words."""

from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI

from eligibility.wire.problems import PROBLEM_MEDIA_TYPE

_CERTIFICATE: Final = "certificate"
_STAFF_SESSION: Final = "staff_session"
# For `openapi_extra` of a route; one without any takes the caller's certificate and nothing else.
NO_CERTIFICATE: Final[dict[str, Any]] = {"security": []}
WITH_SESSION: Final[dict[str, Any]] = {"security": [{_CERTIFICATE: [], _STAFF_SESSION: []}]}
SESSION_FOR_VISUAL: Final[dict[str, Any]] = {"security": [{_CERTIFICATE: []}, *WITH_SESSION["security"]]}
_SCHEMES: Final = MappingProxyType(
    {
        _CERTIFICATE: {
            "type": "mutualTLS",
            "description": "The caller's own certificate, of the authority for its kind: terminals, or insurers.",
        },
        _STAFF_SESSION: {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of POST /v1/staff-sessions, good on the terminal that asked for it.",
        },
    }
)


def complete(app: FastAPI) -> FastAPI:
    """Let the app's description name the certificate that all its routes need, the sessions that some do, and problems.

    The framework describes every answer with a model as plain JSON.
    """
    describe = app.openapi

    def described() -> dict[str, Any]:
        schema = describe()
        schema["security"] = [{_CERTIFICATE: []}]
        operations = [operation for path in schema["paths"].values() for operation in path.values()]
        for content in (answer.get("content", {}) for each in operations for answer in each["responses"].values()):
            if PROBLEM_MEDIA_TYPE in content and "application/json" in content:
                content[PROBLEM_MEDIA_TYPE] = content.pop("application/json")
        used = {_CERTIFICATE, *(scheme for each in operations for one in each.get("security", ()) for scheme in one)}
        schema["components"]["securitySchemes"] = {name: said for name, said in _SCHEMES.items() if name in used}
        return schema

    app.openapi = described  # type: ignore[method-assign]
    return app
