"""Sign-in by the code flow with PKCE, state and nonce; sign-out here and at the provider; and sign-outs that it tells us of."""

from functools import lru_cache
from urllib.parse import urlencode

from authlib.integrations.base_client import OAuthError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.contrib import auth, messages
from django.contrib.auth.backends import BaseBackend
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from joserfc.errors import JoseError
from requests import RequestException

from . import clock
from .models import HeardLogout, Person, SignedIn
from .provider import Refused, Unreachable, provider
from .tokens import BadToken, logout_token_claims
from .words import say

# Where a session keeps what the provider gave.
TOKENS = "provider"
# A logout token lives two minutes; a sign-in that it forestalls is over by then, too.
_REMEMBER_LOGOUTS = 86400


class ProviderBackend(BaseBackend):
    """Finds the person of a session again. There is no way in by a password."""

    def get_user(self, user_id):
        """The person, or nobody."""
        return Person.objects.filter(pk=user_id).first()


@lru_cache
def _client():
    return OAuth().register(
        "propusk",
        client_id=settings.OIDC_CLIENT_ID,
        client_secret=settings.OIDC_CLIENT_SECRET,
        server_metadata_url=f"{settings.OIDC_ISSUER}/.well-known/openid-configuration",
        client_kwargs={"scope": settings.OIDC_SCOPE, "code_challenge_method": "S256", "timeout": 10},
    )


@never_cache
@require_GET
def begin(request):
    """Sends the browser to the provider."""
    wanted = request.GET.get("next", "")
    request.session["next"] = wanted if _is_ours(wanted) else ""
    try:
        # Authlib keeps state, nonce and the PKCE verifier in the session, one set a tab.
        return _client().authorize_redirect(request, f"{settings.SITE_URL}{reverse('callback')}", ui_locales=request.language)
    except (RequestException, OAuthError):
        messages.error(request, say(request, "provider-unreachable"))
        return redirect("home")


@never_cache
@require_GET
def callback(request):
    """Takes the code, and makes a session of the ID token and userinfo."""
    # RFC 9207: the answer of another provider is not ours to redeem.
    if request.GET.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:
        return _failed(request, "sign-in-failed")
    try:
        tokens = _client().authorize_access_token(request)
        claims = provider.userinfo(tokens["access_token"])
    except OAuthError as error:
        if error.error == "mismatching_state" and request.user.is_authenticated:
            # Another tab was faster, and its sign-in took the place of what this one had begun.
            return redirect("home")
        return _failed(request, "sign-in-cancelled" if error.error == "access_denied" else "sign-in-failed")
    except (JoseError, Refused, KeyError):
        return _failed(request, "sign-in-failed")
    except (RequestException, Unreachable):
        return _failed(request, "provider-unreachable")
    identity = tokens.get("userinfo") or {}
    # OIDC Core §5.3.2: userinfo of somebody else must not be used.
    if not identity.get("sub") or claims.get("sub") != identity["sub"] or _was_ended(identity):
        return _failed(request, "sign-in-failed")
    _open_session(request, identity, tokens, claims)
    wanted = request.session.pop("next", "")
    return HttpResponseRedirect(wanted if _is_ours(wanted) else reverse("home"))


def _open_session(request, identity, tokens, claims):
    person = Person.objects.from_claims(settings.OIDC_ISSUER, claims)
    wanted = request.session.get("next", "")
    # Somebody else's session must not go on under a new name, nor an old key under a new session.
    request.session.flush()
    auth.login(request, person, backend="community.sign_in.ProviderBackend")
    request.session["next"] = wanted
    request.session[TOKENS] = {**kept(tokens), "id_token": tokens["id_token"], "checked_at": clock.now()}
    with transaction.atomic():
        SignedIn.objects.filter(person=person).exclude(session_key__in=Session.objects.values("session_key")).delete()
        SignedIn.objects.create(session_key=request.session.session_key, person=person, sid=identity.get("sid", ""))


def kept(tokens):
    """What a session keeps of a token answer."""
    return {
        "access_token": tokens["access_token"],
        "refresh_token": tokens.get("refresh_token", ""),
        "expires_at": clock.now() + float(tokens.get("expires_in", 0)),
    }


def _was_ended(identity):
    """Whether the provider has ended this session before we opened ours: its message may overtake the browser."""
    heard = HeardLogout.objects.filter(issuer=settings.OIDC_ISSUER)
    by_session = Q(sid=identity["sid"]) if identity.get("sid") else Q(pk=None)
    by_person = Q(sid="", subject=identity["sub"], heard_at__gte=identity.get("iat", 0) + 1)
    return heard.filter(by_session | by_person).exists()


def _failed(request, key):
    messages.error(request, say(request, key))
    return redirect("home")


def _is_ours(address):
    return bool(address) and url_has_allowed_host_and_scheme(address, allowed_hosts=None) and address.startswith("/")


@never_cache
@require_POST
def sign_out(request):
    """Ends the session here, then, by the browser, at the provider, which tells everybody else (RP-Initiated Logout §2)."""
    tokens = request.session.get(TOKENS, {})
    close_session(request)
    try:
        end_session = provider.metadata().get("end_session_endpoint")
    except (Refused, Unreachable):
        end_session = None
    if not end_session:
        messages.warning(request, say(request, "signed-out-here-only"))
        return redirect("home")
    parameters = {"client_id": settings.OIDC_CLIENT_ID, "post_logout_redirect_uri": f"{settings.SITE_URL}/"}
    if tokens.get("id_token"):
        parameters["id_token_hint"] = tokens["id_token"]
    return HttpResponseRedirect(f"{end_session}?{urlencode(parameters)}")


def close_session(request):
    """Ends the session of this browser here, and what its refresh token could still bring."""
    tokens = request.session.get(TOKENS, {})
    if request.session.session_key:
        SignedIn.objects.filter(session_key=request.session.session_key).delete()
    auth.logout(request)
    if tokens.get("refresh_token"):
        provider.revoke(tokens["refresh_token"])


@csrf_exempt
@never_cache
@require_POST
def backchannel_logout(request):
    """`backchannel_logout_uri` (OIDC Back-Channel Logout §2.5): the provider says whose session, or which, is over."""
    try:
        claims = logout_token_claims(request.POST.get("logout_token", ""))
    except BadToken as error:
        return JsonResponse({"error": "invalid_request", "error_description": str(error)}, status=400)
    except Unreachable as error:
        # Not the token's fault: with this status it is sent again.
        return JsonResponse({"error": "temporarily_unavailable", "error_description": str(error)}, status=503)
    subject, sid = claims.get("sub", ""), claims.get("sid", "")
    try:
        with transaction.atomic():
            HeardLogout.objects.filter(heard_at__lt=clock.now() - _REMEMBER_LOGOUTS).delete()
            HeardLogout.objects.create(jti=claims["jti"], issuer=claims["iss"], subject=subject, sid=sid, heard_at=clock.now())
            refresh_tokens = _end_sessions(claims["iss"], subject, sid)
    except IntegrityError:
        return JsonResponse({"error": "invalid_request", "error_description": "the token was used before"}, status=400)
    for token in refresh_tokens:
        provider.revoke(token)
    return JsonResponse({})


def _end_sessions(issuer, subject, sid):
    """Ends the sessions that the claims name, all of the person's without `sid`; returns their refresh tokens."""
    named = SignedIn.objects.filter(person__issuer=issuer)
    if subject:
        named = named.filter(person__subject=subject)
    if sid:
        named = named.filter(sid=sid)
    sessions = Session.objects.filter(session_key__in=list(named.values_list("session_key", flat=True)))
    tokens = [session.get_decoded().get(TOKENS, {}).get("refresh_token", "") for session in sessions]
    sessions.delete()
    named.delete()
    return [token for token in tokens if token]
