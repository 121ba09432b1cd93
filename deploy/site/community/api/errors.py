"""Refusals in the shape of RFC 6750: a challenge for the program, a sentence for the one who reads the log."""

from rest_framework import status
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.views import exception_handler

from .authentication import AccessTokenAuthentication


class ScopeMissing(PermissionDenied):
    """The token lacks a scope."""

    def __init__(self, scope):
        super().__init__(f"The access token needs the scope {scope}", code="insufficient_scope")
        self.scope = scope


def handler(error, context):
    """What `EXCEPTION_HANDLER` names."""
    response = exception_handler(error, context)
    if response is None:
        return None
    response.headers["Cache-Control"] = "no-store"
    if response.status_code == status.HTTP_401_UNAUTHORIZED:
        code = "" if isinstance(error, NotAuthenticated) or error.get_codes() == "unsupported" else "invalid_token"
        response.data = {"error": code or "unauthorized", "error_description": str(error.detail)}
        response.headers["WWW-Authenticate"] = _challenge(error=code)
    elif response.status_code == status.HTTP_403_FORBIDDEN:
        scope = getattr(error, "scope", "")
        response.data = {"error": "insufficient_scope" if scope else "forbidden", "error_description": str(error.detail)}
        # A role is nothing that a program can ask for, a scope is.
        if scope:
            response.headers["WWW-Authenticate"] = _challenge(error="insufficient_scope", scope=scope)
    elif "detail" in response.data:
        detail = response.data["detail"]
        response.data = {"error": detail.code, "error_description": str(detail)}
    else:
        response.data = {"error": "invalid", "errors": response.data}
    return response


def _challenge(**parameters):
    given = [f'{name}="{value}"' for name, value in parameters.items() if value]
    return ", ".join([AccessTokenAuthentication.challenge, *given])
