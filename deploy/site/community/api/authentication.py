"""Access tokens (RFC 9068) as authentication of Django REST framework."""

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed

from ..provider import Unreachable
from ..tokens import BadToken, access_token_claims


class Bearer:
    """Whoever the token speaks for: a person, or a service on its own behalf."""

    is_authenticated = True
    is_anonymous = False
    is_active = True

    def __init__(self, claims):
        self.subject = self.pk = claims["sub"]
        self.client_id = claims["client_id"]
        self.scopes = frozenset(str(claims.get("scope", "")).split())
        roles = claims.get("roles")
        # A service's own token (its subject is the client) has no role, whatever else it says.
        listed = roles if isinstance(roles, list) and not self.is_service else []
        self.roles = frozenset(role for role in listed if isinstance(role, str))

    @property
    def is_service(self):
        """Whether nobody is behind the token (RFC 9068 §2.2: `sub` is the client then)."""
        return self.subject == self.client_id

    @property
    def is_staff(self):
        """What `IsAdminUser` asks."""
        return bool(self.roles & settings.ADMIN_ROLES)

    def has_scope(self, scope):
        """Whether the token may do that."""
        return scope in self.scopes


class KeysUnreachable(APIException):
    """Nobody's fault who asks: the keys of the provider could not be read yet."""

    status_code = 503
    default_code = "temporarily_unavailable"
    default_detail = "Access tokens cannot be checked at the moment"


class AccessTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`, and nothing else.

    Basic is refused even where nobody needs to be signed in: an API that takes passwords teaches every program to keep them, sees them
    itself with every request, and goes past second factor, throttling, sign-out and audit of the sign-in page.
    """

    challenge = 'Bearer realm="besedka"'

    def authenticate(self, request):
        """`(Bearer, claims)`; `None` without the header."""
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, token = header.strip().partition(" ")
        if scheme.lower() != "bearer":
            # RFC 6750 §3.1: no error code for a method that is not spoken here.
            raise AuthenticationFailed("Only Bearer access tokens are accepted; Basic and others are refused", code="unsupported")
        try:
            claims = access_token_claims(token.strip())
        except BadToken as error:
            raise AuthenticationFailed(str(error), code="invalid_token") from error
        except Unreachable as error:
            raise KeysUnreachable from error
        return Bearer(claims), claims

    def authenticate_header(self, request):
        """What makes a refusal 401 instead of 403."""
        return self.challenge
