"""The provider: what the site asks it, beside the sign-in itself."""

import threading

import requests
from django.conf import settings

from . import clock

TIMEOUT = (3, 10)
_METADATA_AGE = 3600


class Refused(Exception):
    """The provider answered, and the answer is no."""

    def __init__(self, status, error="", description=""):
        super().__init__(f"{status} {error} {description}".strip())
        self.status, self.error, self.description = status, error, description


class Unreachable(Exception):
    """No usable answer: connection, time limit, a 5xx, or no JSON."""


class Provider:
    """Discovery, userinfo, tokens and revocation over one connection pool."""

    def __init__(self):
        self._http = requests.Session()
        self._lock = threading.Lock()
        self._metadata = (None, 0.0)
        self._own_token = (None, 0.0)

    def metadata(self):
        """The discovery document, read again every hour."""
        document, read_at = self._metadata
        if document is None or clock.now() - read_at > _METADATA_AGE:
            document = self.ask("GET", f"{settings.OIDC_ISSUER}/.well-known/openid-configuration")
            # OIDC Discovery §4.3: another issuer's document must not be believed.
            if document.get("issuer") != settings.OIDC_ISSUER:
                raise Unreachable("the discovery document is another issuer's")
            self._metadata = (document, clock.now())
        return document

    def userinfo(self, access_token):
        """The claims of the person as they are now."""
        return self.ask("GET", self.metadata()["userinfo_endpoint"], headers={"Authorization": f"Bearer {access_token}"})

    def refresh(self, refresh_token):
        """The next tokens of a session."""
        return self._token({"grant_type": "refresh_token", "refresh_token": refresh_token}, _site_client())

    def revoke(self, token):
        """Ends everything that hangs on the token. That it fails is no reason to keep somebody signed in."""
        try:
            self.ask("POST", self.metadata()["revocation_endpoint"], data={"token": token}, auth=_site_client())
        except (Refused, Unreachable):
            pass

    def own_token(self):
        """The site's own access token with the scope of the users API, kept until shortly before its end."""
        with self._lock:
            token, expires_at = self._own_token
            if token is None or clock.now() > expires_at - 30:
                client = (settings.PEOPLE_CLIENT_ID, settings.PEOPLE_CLIENT_SECRET)
                answer = self._token({"grant_type": "client_credentials", "scope": "propusk:users"}, client)
                token = answer["access_token"]
                self._own_token = (token, clock.now() + float(answer.get("expires_in", 0)))
            return token

    def forget_own_token(self):
        """The next request gets a fresh one."""
        with self._lock:
            self._own_token = (None, 0.0)

    def _token(self, form, client):
        answer = self.ask("POST", self.metadata()["token_endpoint"], data=form, auth=client)
        if not isinstance(answer.get("access_token"), str):
            raise Unreachable("the token answer holds no access token")
        return answer

    def ask(self, method, url, *, allow=(200, 201, 204), **options):
        """One request and its JSON object."""
        answer = self.ask_whole(method, url, **options)
        body = self.json_of(answer)
        if answer.status_code not in allow:
            raise Refused(answer.status_code, str(body.get("error", "")), str(body.get("error_description", "")))
        return body

    def ask_whole(self, method, url, **options):
        """The same with the answer itself; a redirect is an answer, because a secret must not travel on."""
        try:
            answer = self._http.request(method, url, timeout=TIMEOUT, allow_redirects=False, **options)
        except requests.RequestException as error:
            raise Unreachable(type(error).__name__) from error
        if answer.status_code >= 500 or 300 <= answer.status_code < 400 or answer.status_code == 429:
            raise Unreachable(f"status {answer.status_code}")
        return answer

    @staticmethod
    def json_of(answer):
        """The JSON object of an answer; empty for none."""
        if not answer.content:
            return {}
        try:
            body = answer.json()
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body
        if answer.status_code >= 400:
            return {}
        raise Unreachable("the answer is no JSON object")


def _site_client():
    return (settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)


provider = Provider()
