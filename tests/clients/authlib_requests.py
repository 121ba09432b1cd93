"""Authlib on requests; the secret goes in the header (client_secret_basic)."""

import os

import requests
from authlib.integrations.requests_client import OAuth2Session

from flow import flow
from person import run


def _session(client_id, client_secret, **options):
    method = "client_secret_basic" if client_secret else "none"
    return OAuth2Session(client_id, client_secret, token_endpoint_auth_method=method, default_timeout=20, **options)


if __name__ == "__main__":
    if os.environ.get("ISSUER", "").startswith("http://"):
        # Authlib refuses plain http, even on loopback, unless told.
        os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    run("authlib-requests", lambda settings: flow(settings, _session, requests.Session()))
