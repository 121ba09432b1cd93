"""What PyJWT says about the JWTs."""

import base64
import hashlib

import jwt

from person import check

ALGORITHMS = ["RS256", "ES256", "EdDSA"]


def verify_id_token(id_token, jwks_uri, settings, nonce, access_token):
    """Signature, issuer, audience, nonce and at_hash of an ID token; its claims."""
    required = ["iss", "sub", "aud", "exp", "iat", "auth_time", "sid"]
    claims = _decode(id_token, jwks_uri, audience=settings.client_id, issuer=settings.issuer, required=required)
    check(jwt.get_unverified_header(id_token).get("typ") != "at+jwt", "the ID token calls itself an access token")
    check(nonce is None or claims.get("nonce") == nonce, f"the ID token's nonce is {claims.get('nonce')}")
    algorithm = jwt.get_unverified_header(id_token)["alg"]
    if algorithm in ("RS256", "ES256"):
        digest = hashlib.sha256(access_token.encode()).digest()
        expected = base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
        check(claims.get("at_hash") == expected, f"at_hash is {claims.get('at_hash')} instead of {expected}")
    for name in ("name", "email", "roles"):
        check(name not in claims, f"the ID token tells {name}, which nobody asked it for")
    return claims


def verify_access_token(token, jwks_uri, settings, client_id, subject):
    """An access token after RFC 9068 §4; its claims."""
    check(jwt.get_unverified_header(token).get("typ") == "at+jwt", "the access token is not typ at+jwt")
    required = ["iss", "sub", "aud", "client_id", "exp", "iat", "jti"]
    claims = _decode(token, jwks_uri, audience=settings.audience, issuer=settings.issuer, required=required)
    check(claims["client_id"] == client_id, f"the access token's client_id is {claims['client_id']}")
    check(claims["sub"] == subject, f"the access token's sub is {claims['sub']} instead of {subject}")
    for name in ("roles", "groups"):
        check(isinstance(claims.get(name, []), list), f"{name} in the access token is no array")
    if settings.roles is not None and subject != client_id:
        check(claims.get("roles") == settings.roles, f"roles in the access token are {claims.get('roles')}")
    return claims


def _decode(token, jwks_uri, *, audience, issuer, required):
    check("kid" in jwt.get_unverified_header(token), "a token without kid")
    key = jwt.PyJWKClient(jwks_uri, timeout=20).get_signing_key_from_jwt(token).key
    return jwt.decode(token, key, algorithms=ALGORITHMS, audience=audience, issuer=issuer, options={"require": required})
