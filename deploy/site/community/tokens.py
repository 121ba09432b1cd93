"""JWTs of the provider: access tokens (RFC 9068 §4) and logout tokens (OIDC Back-Channel Logout §2.6).

No secret is shared: the keys are those of the provider's `jwks_uri`. The rules that keep forgeries out:

* the algorithms are ours to list; `none` and every HMAC are not among them, so a public key cannot be used as a secret,
* a key is used only for the algorithm that belongs to its type,
* `typ` is compared, so that an ID token is no access token,
* a `kid` that nobody knows makes us read the keys again, at most once a minute.
"""

import threading

import jwt
from django.conf import settings
from jwt.algorithms import get_default_algorithms

from . import clock
from .provider import Refused, Unreachable, provider

LEEWAY = 10
_MAX_LENGTH = 16 * 1024
_KEY_TYPES = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_ALGORITHMS = get_default_algorithms()
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_AGE = 300


class BadToken(Exception):
    """The token proves nothing. The message names the rule, never the token."""


class KeySet:
    """The keys of `jwks_uri` by `kid`."""

    def __init__(self, fetch=None, max_age=3600, pause=60):
        self._fetch = fetch or self._ask
        self._max_age, self._pause = max_age, pause
        self._lock = threading.Lock()
        self._keys, self._read_at, self._tried_at = {}, None, None

    def key(self, kid, algorithm):
        """The public key of this name for this algorithm."""
        keys = self._known(kid)
        if kid not in keys:
            raise BadToken("the key is not known")
        kty, key = keys[kid]
        if kty != _KEY_TYPES[algorithm]:
            raise BadToken("the key is for another algorithm")
        return key

    def _known(self, kid):
        with self._lock:
            now = clock.now()
            old = self._read_at is None or now - self._read_at > self._max_age
            rested = self._tried_at is None or now - self._tried_at >= self._pause
            if (old or kid not in self._keys) and rested:
                self._tried_at = now
                try:
                    self._keys, self._read_at = _parse(self._fetch()), now
                except (Refused, Unreachable):
                    # The keys that were read before stay good for what they signed.
                    pass
            if self._read_at is None:
                raise Unreachable("the keys of the provider cannot be read")
            return self._keys

    @staticmethod
    def _ask():
        return provider.ask("GET", provider.metadata()["jwks_uri"])


def _parse(document):
    keys = {}
    for entry in document.get("keys", []):
        algorithm = next((name for name, kty in _KEY_TYPES.items() if kty == entry.get("kty")), None)
        if algorithm is None or entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid"), str):
            continue
        # `from_jwk` would make a private key of a private JWK: only the public members are given to it.
        public = {name: entry[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in entry}
        try:
            keys[entry["kid"]] = (entry["kty"], _ALGORITHMS[algorithm].from_jwk(public))
        except (jwt.InvalidKeyError, ValueError, KeyError):
            continue
    return keys


key_set = KeySet()


def access_token_claims(token, keys=None):
    """The claims of a live access token for this API."""
    claims = _verified(token, {"at+jwt", "application/at+jwt"}, settings.API_AUDIENCE, keys)
    _require(claims, {"iss": str, "sub": str, "client_id": str, "jti": str, "exp": (int, float), "iat": (int, float)})
    if claims["exp"] + LEEWAY <= clock.now():
        raise BadToken("the token has expired")
    _check_beginning(claims)
    return claims


def logout_token_claims(token, keys=None):
    """The claims of a logout token for this site; whether it was heard before is the caller's to ask."""
    claims = _verified(token, {"logout+jwt", "application/logout+jwt"}, settings.OIDC_CLIENT_ID, keys)
    _require(claims, {"iss": str, "jti": str, "iat": (int, float), "exp": (int, float), "events": dict})
    if claims["exp"] + LEEWAY <= clock.now() or claims["iat"] + _LOGOUT_AGE <= clock.now():
        raise BadToken("the token has expired")
    _check_beginning(claims)
    if not isinstance(claims["events"].get(_LOGOUT_EVENT), dict):
        raise BadToken("the token is about another event")
    # With a nonce it could be an ID token that somebody sends here.
    if "nonce" in claims:
        raise BadToken("a logout token has no nonce")
    named = [claims[name] for name in ("sub", "sid") if name in claims]
    if not named or not all(isinstance(name, str) and name for name in named):
        raise BadToken("the token names neither person nor session")
    return claims


def _verified(token, types, audience, keys):
    if not isinstance(token, str) or len(token) > _MAX_LENGTH:
        raise BadToken("the token is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise BadToken("this is no JWT") from None
    algorithm = header.get("alg")
    if algorithm not in _KEY_TYPES:
        raise BadToken("the algorithm is not accepted")
    if not isinstance(header.get("typ"), str) or header["typ"].lower() not in types:
        raise BadToken("the token is of another type")
    if "crit" in header or not isinstance(header.get("kid"), str):
        raise BadToken("the header is not understood")
    key = (keys or key_set).key(header["kid"], algorithm)
    # Times are judged below by a clock that tests can move.
    unread = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": ["aud", "iss"]}
    try:
        return jwt.decode(token, key, algorithms=[algorithm], audience=audience, issuer=settings.OIDC_ISSUER, options=unread)
    except jwt.InvalidIssuerError:
        raise BadToken("the token is another issuer's") from None
    except jwt.InvalidAudienceError:
        raise BadToken("the token is for another audience") from None
    except (jwt.PyJWTError, ValueError):
        raise BadToken("the signature or the claims are wrong") from None


def _require(claims, wanted):
    for name, kind in wanted.items():
        if not isinstance(claims.get(name), kind) or isinstance(claims.get(name), bool):
            raise BadToken(f"the claim {name} is missing or of another type")


def _check_beginning(claims):
    for name in ("iat", "nbf"):
        value = claims.get(name, 0)
        if not isinstance(value, (int, float)) or value > clock.now() + LEEWAY:
            raise BadToken("the token is not valid yet")
