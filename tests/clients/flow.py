"""The whole code flow with an Authlib session, whatever HTTP library it stands on."""

import secrets

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from person import authorize, check
from tokens import verify_access_token, verify_id_token

SCOPE = "openid profile email offline_access"


def flow(settings, make_session, person):
    """Goes through everything.

    `make_session(client_id, client_secret, **options)` gives an Authlib session, `person` the HTTP client that drives the pages.
    """
    site = make_session(settings.client_id, settings.client_secret, scope=SCOPE, redirect_uri=settings.redirect_uri)
    metadata = _discover(site, settings)
    jwks_uri = metadata["jwks_uri"]
    token, nonce = _sign_in(site, metadata, settings, person)
    claims = verify_id_token(token["id_token"], jwks_uri, settings, nonce, token["access_token"])
    subject = claims["sub"]
    verify_access_token(token["access_token"], jwks_uri, settings, settings.client_id, subject)
    _userinfo(site, metadata, settings, subject)

    refreshed = _refresh(site, metadata, token["refresh_token"])
    verify_access_token(refreshed["access_token"], jwks_uri, settings, settings.client_id, subject)
    if settings.introspects:
        state = _introspect(site, metadata, refreshed["access_token"])
        check(state.get("active") is True and state.get("sub") == subject, f"introspection says {state}")
    _revoke(site, metadata, settings, refreshed)
    service = _serve(make_session, metadata, settings) if settings.service_id else None
    return {"sub": subject, "scope": token.get("scope"), "service": service}


def _discover(site, settings):
    url = settings.issuer + "/.well-known/openid-configuration"
    answer = site.request("GET", url, withhold_token=True)
    check(answer.status_code == 200, f"discovery answers {answer.status_code}")
    metadata = answer.json()
    check(metadata["issuer"] == settings.issuer, f"discovery is of {metadata['issuer']}")
    check("S256" in metadata["code_challenge_methods_supported"], "S256 is not advertised")
    return metadata


def _sign_in(site, metadata, settings, person):
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    challenge = {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}
    url, state = site.create_authorization_url(metadata["authorization_endpoint"], nonce=nonce, **challenge)
    callback = authorize(person, url, settings)
    token = site.fetch_token(metadata["token_endpoint"], authorization_response=callback, state=state, code_verifier=verifier)
    check(token["token_type"].lower() == "bearer", f"token_type is {token['token_type']}")
    check(token.get("refresh_token"), "offline_access gave no refresh token")
    check(token.get("expires_in", 0) > 0, "the token answer has no expires_in")
    return token, nonce


def _userinfo(site, metadata, settings, subject):
    endpoint = metadata["userinfo_endpoint"]
    for method in ("GET", "POST"):
        answer = site.request(method, endpoint)
        check(answer.status_code == 200, f"{method} userinfo answers {answer.status_code} {answer.text}")
        userinfo = answer.json()
        check(userinfo["sub"] == subject, f"userinfo is about {userinfo['sub']} instead of {subject}")
        check(isinstance(userinfo.get("preferred_username"), str), "userinfo has no preferred_username")
        if settings.roles is not None:
            check(userinfo.get("roles") == settings.roles, f"roles in userinfo are {userinfo.get('roles')}")


def _refresh(site, metadata, refresh_token):
    """A replay inside the retry window gives the same successor, and the successor works."""
    endpoint = metadata["token_endpoint"]
    first = dict(site.refresh_token(endpoint, refresh_token=refresh_token))
    second = dict(site.refresh_token(endpoint, refresh_token=refresh_token))
    check(first["refresh_token"] != refresh_token, "the refresh token was not rotated")
    check(first["refresh_token"] == second["refresh_token"], "a retried refresh gave another refresh token")
    return dict(site.refresh_token(endpoint, refresh_token=first["refresh_token"]))


def _introspect(site, metadata, token):
    answer = site.introspect_token(metadata["introspection_endpoint"], token=token, token_type_hint="access_token")
    check(answer.status_code == 200, f"introspection answers {answer.status_code} {answer.text}")
    return answer.json()


def _revoke(site, metadata, settings, token):
    endpoint = metadata["revocation_endpoint"]
    answer = site.revoke_token(endpoint, token=token["refresh_token"], token_type_hint="refresh_token")
    check(answer.status_code == 200, f"revocation answers {answer.status_code} {answer.text}")
    check(_refusal(site, metadata, token["refresh_token"]) == "invalid_grant", "a revoked refresh token was not refused as invalid_grant")
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    answer = site.request("GET", metadata["userinfo_endpoint"], headers=bearer, withhold_token=True)
    check(answer.status_code == 401, f"the access token of a revoked grant gets {answer.status_code} at userinfo")
    challenge = answer.headers.get("www-authenticate", "")
    check(challenge.startswith("Bearer") and 'error="invalid_token"' in challenge, f"the challenge is {challenge}")
    if settings.introspects:
        state = _introspect(site, metadata, token["access_token"])
        check(state == {"active": False}, f"introspection of a revoked grant says {state}")


def _refusal(site, metadata, refresh_token):
    try:
        site.refresh_token(metadata["token_endpoint"], refresh_token=refresh_token)
    except Exception as error:  # both libraries raise an OAuthError of their own
        return getattr(error, "error", repr(error))
    return None


def _serve(make_session, metadata, settings):
    service = make_session(settings.service_id, settings.service_secret)
    token = service.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    check("refresh_token" not in token and "id_token" not in token, "client_credentials gave more than an access token")
    claims = verify_access_token(token["access_token"], metadata["jwks_uri"], settings, settings.service_id, settings.service_id)
    return claims["sub"]
