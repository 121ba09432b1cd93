"""Signs a person in by the code flow and prints the access token."""

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from person import Settings, authorize, check


def main():
    settings = Settings()
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    question = {"client_id": settings.client_id, "redirect_uri": settings.redirect_uri, "response_type": "code", "scope": "openid profile"}
    question |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    callback = authorize(requests.Session(), f"{settings.issuer}/oauth/authorize?{urlencode(question)}", settings)
    code = parse_qs(urlsplit(callback).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": settings.redirect_uri, "code_verifier": verifier}
    answer = requests.post(f"{settings.issuer}/oauth/token", data=form, auth=(settings.client_id, settings.client_secret), timeout=20)
    check(answer.status_code == 200, f"the token endpoint answers {answer.status_code} {answer.text}")
    print(answer.json()["access_token"])


if __name__ == "__main__":
    main()
