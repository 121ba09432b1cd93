"""Authlib on httpx; the secret goes in the body (client_secret_post)."""

import os

import httpx
from authlib.integrations.httpx_client import OAuth2Client

from flow import flow
from person import run


def _session(client_id, client_secret, **options):
    method = "client_secret_post" if client_secret else "none"
    return OAuth2Client(client_id, client_secret, token_endpoint_auth_method=method, timeout=20, **options)


if __name__ == "__main__":
    if os.environ.get("ISSUER", "").startswith("http://"):
        # Authlib refuses plain http, even on loopback, unless told.
        os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    run("authlib-httpx", lambda settings: flow(settings, _session, httpx.Client()))
