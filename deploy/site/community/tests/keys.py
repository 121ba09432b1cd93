"""A provider that exists only in the test: its key, and tokens signed with it."""

import base64
import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def document(*kids):
    """A JWKS with the RSA key under each of these names (`rsa-1` by default), and the EC key as `ec-1`."""
    shown = [{**RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"} for kid in kids or ("rsa-1",)]
    return {"keys": [*shown, {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec-1", "use": "sig", "alg": "ES256"}]}


def access_claims(**changed):
    """The claims of a good access token; a value of `None` takes one away."""
    now = int(time.time())
    claims = {
        "iss": settings.OIDC_ISSUER,
        "sub": "anna-sub",
        "aud": settings.API_AUDIENCE,
        "client_id": "site",
        "exp": now + 600,
        "iat": now,
        "jti": "grant.1",
        "scope": "openid",
        "roles": ["user"],
    }
    return {name: value for name, value in {**claims, **changed}.items() if value is not None}


def logout_claims(**changed):
    """The claims of a good logout token."""
    now = int(time.time())
    claims = {
        "iss": settings.OIDC_ISSUER,
        "aud": settings.OIDC_CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": "logout-1",
        "sub": "anna-sub",
        "sid": "session-1",
        "events": {LOGOUT_EVENT: {}},
    }
    return {name: value for name, value in {**claims, **changed}.items() if value is not None}


def sign(claims, key=KEY, algorithm="RS256", **header):
    """A JWT; headers are those of an access token unless said otherwise, and `None` takes one away."""
    headers = {"typ": "at+jwt", "kid": "rsa-1", **header}
    return jwt.encode(claims, key, algorithm, headers={name: value for name, value in headers.items() if value is not None})


def forge(claims, header, signature=b""):
    """A JWT put together by hand, as no library would."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
