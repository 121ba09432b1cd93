"""What happens around every page: language, headers, and roles that are never older than they may be."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import JsonResponse
from django.shortcuts import redirect

from . import clock
from .models import Person
from .provider import Refused, Unreachable, provider
from .sign_in import TOKENS, close_session, kept
from .words import language_of, say

# Access tokens are replaced this many seconds before their end.
_EARLY = 30


def content_security_policy(get_response):
    """The language of the request, and a policy under which pages load nothing from elsewhere but the chat's frame."""
    # Chromium applies form-action to where a form's answer redirects: signing out leads to the provider.
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
        f"form-action 'self' {_origin(settings.OIDC_ISSUER)}; frame-ancestors 'none'; frame-src {_origin(settings.CHAT_URL) or chr(39) + 'none' + chr(39)}"
    )

    def middleware(request):
        request.language = language_of(request)
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        return response

    return middleware


def _origin(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def fresh_roles(get_response):
    """Asks userinfo again when the roles of a session that is used are older than ROLES_MAX_AGE; ends it when the answer is no."""

    def middleware(request):
        # The API knows no sessions, and signing out must work with a session that is no good any more.
        if not request.path.startswith(("/api/", "/oidc/", "/static/")) and request.user.is_authenticated and not _freshen(request):
            close_session(request)
            if request.headers.get("Accept") == "application/json":
                return JsonResponse({"message": say(request, "session-ended")}, status=401)
            messages.warning(request, say(request, "session-ended"))
            return redirect("home")
        return get_response(request)

    return middleware


def _freshen(request):
    """Whether the session may go on."""
    session = request.session.get(TOKENS)
    if session is None:
        return False
    age = clock.now() - session["checked_at"]
    if age <= settings.ROLES_MAX_AGE:
        return True
    try:
        if clock.now() > session["expires_at"] - _EARLY:
            session = _renewed(request, session)
        claims = provider.userinfo(session["access_token"])
    except Refused:
        return False
    except Unreachable:
        # An outage of minutes signs nobody out; a longer one does, because roles may have been taken meanwhile.
        return age <= settings.ROLES_GRACE
    if claims.get("sub") != request.user.subject:
        return False
    request.user = Person.objects.from_claims(settings.OIDC_ISSUER, claims)
    request.session[TOKENS] = {**session, "checked_at": clock.now()}
    return True


def access_token(request):
    """The access token of the session, replaced when it is about to end.

    Raises what the provider's answer raises; `Refused` without a refresh token.
    """
    session = request.session[TOKENS]
    if clock.now() > session["expires_at"] - _EARLY:
        session = _renewed(request, session)
    return session["access_token"]


def _renewed(request, session):
    if not session["refresh_token"]:
        raise Refused(401, "invalid_token", "the access token has ended")
    tokens = provider.refresh(session["refresh_token"])
    session = {**session, **kept({"refresh_token": session["refresh_token"], **tokens})}
    # Kept at once, whatever userinfo says next: the old refresh token is spent.
    request.session[TOKENS] = session
    request.session.save()
    return session
