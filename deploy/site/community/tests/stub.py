"""A provider on a port of this machine: discovery, keys, tokens, userinfo, revocation, the users API, and where the chat's places are."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

from django.test import Client, override_settings

from community import sign_in, tokens
from community.provider import provider

from . import keys


class StubProvider:
    """Runs for one test. What it knows is in its attributes; a test changes them."""

    def __init__(self, case, **settings):
        self.people = {
            "anna-sub": {"username": "anna", "name": "Анна", "email": "anna@example.org", "role": "user"},
            "boris-sub": {"username": "boris", "name": "Борис", "email": "boris@example.org", "role": "user"},
        }
        self.codes, self.dead, self.revoked, self.calls = {}, set(), [], []
        # (method, path) → (status, body), or a function of (request body, headers), instead of the usual answer.
        self.instead = {}
        # Changes to the claims of ID tokens and of userinfo.
        self.id_claims, self.user_claims = {}, {}
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        overridden = override_settings(OIDC_ISSUER=self.url, PEOPLE_URL=f"{self.url}/api/v1/users", OIDC_CLIENT_SECRET="secret", **settings)
        overridden.enable()
        provider.__init__()
        tokens.key_set.__init__()
        sign_in._client.cache_clear()
        for end in (overridden.disable, server.server_close, server.shutdown):
            case.addCleanup(end)

    def sign_in(self, sub="anna-sub", sid="session-1", browser=None, wanted="", **changed):
        """A browser that has gone through the code flow from the page `wanted`. `changed` overrides parameters of the answer."""
        browser = browser or Client(headers={"accept-language": "en"})
        asked = dict(parse_qsl(urlsplit(browser.get("/oidc/login/", {"next": wanted}).headers["Location"]).query))
        self.codes["code"] = {"sub": sub, "sid": sid, "nonce": asked["nonce"], "challenge": asked["code_challenge"]}
        parameters = {"code": "code", "state": asked["state"], "iss": self.url, **changed}
        self.asked = asked
        self.answer = browser.get("/oidc/callback/", parameters)
        return browser

    def userinfo(self, sub):
        person = self.people[sub]
        claims = {"sub": sub, "preferred_username": person["username"], "name": person["name"], "email": person["email"], "roles": [person["role"]]}
        return {**claims, **self.user_claims}

    def reply(self, method, path, form, body, headers):
        """(status, body, headers) of a request."""
        self.calls.append((method, path))
        told = self.instead.get((method, path))
        if told is not None:
            return told(body, headers) if callable(told) else told
        route = {
            "/.well-known/openid-configuration": self._discovery,
            "/jwks": lambda *_: (200, keys.document()),
            "/token": self._token,
            "/userinfo": self._userinfo,
            "/revoke": self._revoke,
            "/rocketchat/open": self._open,
        }.get(path)
        if route:
            return route(form, headers)
        if path.startswith("/api/v1/users"):
            return self._users(method, path.removeprefix("/api/v1/users").strip("/"), form, body, headers)
        return 404, {"error": "not_found"}

    def _discovery(self, *_):
        endpoints = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "revocation": "revoke", "end_session": "logout"}
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", "id_token_signing_alg_values_supported": ["RS256"]}
        return 200, {**document, **{f"{name}_endpoint": f"{self.url}/{path}" for name, path in endpoints.items()}}

    def _token(self, form, headers):
        expected = "Basic " + base64.b64encode(b"site:secret").decode()
        if form["grant_type"] == "client_credentials":
            return 200, {"access_token": "own", "token_type": "Bearer", "expires_in": 600}
        if headers.get("Authorization") != expected:
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "refresh_token":
            sid = form["refresh_token"].removeprefix("refresh of ")
            if sid in self.dead:
                return 400, {"error": "invalid_grant"}
            return 200, {"access_token": f"access anna-sub {sid} again", "token_type": "Bearer", "expires_in": 600, "refresh_token": form["refresh_token"]}
        code = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if code is None or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code["challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "sub": code["sub"], "aud": "site", "iat": now, "exp": now + 600, "nonce": code["nonce"], "sid": code["sid"]}
        id_token = keys.sign({**claims, **self.id_claims}, typ="JWT")
        access = f"access {code['sub']} {code['sid']}"
        return 200, {"access_token": access, "token_type": "Bearer", "expires_in": 600, "refresh_token": f"refresh of {code['sid']}", "id_token": id_token}

    def _userinfo(self, form, headers):
        _, sub, sid = headers.get("Authorization", "").removeprefix("Bearer ").split(" ")[:3]
        return (401, {"error": "invalid_token"}) if sid in self.dead else (200, self.userinfo(sub))

    def _revoke(self, form, headers):
        self.revoked.append(form["token"])
        return 200, {}

    def _open(self, form, headers):
        if form["channel"] == "vip":
            return 403, {"error": "insufficient_scope"}
        return 200, {"url": f"https://chat.example.org/channel/{form['channel']}"}

    def _users(self, method, path, form, body, headers):
        if headers.get("Authorization") != "Bearer own":
            return 401, {"error": "invalid_token"}
        sub = path
        if method == "POST":
            if any(body["username"] == person["username"] for person in self.people.values()):
                return 409, {"error": "conflict", "errors": [{"field": "username", "message": "taken"}]}
            sub = f"{body['username']}-sub"
            self.people[sub] = body
            return 201, {"sub": sub, **body}
        if method == "GET" and not sub:
            found = [self.shown(sub) for sub, person in self.people.items() if form.get("search", "") in person["username"]]
            return 200, {"users": found}
        if sub not in self.people:
            return 404, {"error": "not_found"}
        if method == "PATCH":
            if headers.get("If-Match", "*") not in ("*", f'"{self.shown(sub)["version"]}"'):
                return 412, {"error": "precondition_failed"}
            self.people[sub].update(body)
        return 200, self.shown(sub)

    def shown(self, sub):
        """A person as the users API shows them."""
        person = {"sub": sub, **self.people[sub]}
        return {**person, "version": hashlib.sha256(json.dumps(person).encode()).hexdigest()[:22]}


def _handler(stub):
    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            url = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_json = "json" in self.headers.get("Content-Type", "")
            pairs = parse_qs(url.query if is_json or not sent else sent.decode(), keep_blank_values=True)
            form = {name: values[0] for name, values in pairs.items()}
            status, body, *more = stub.reply(self.command, url.path, form, json.loads(sent) if is_json and sent else {}, self.headers)
            content = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (more[0] if more else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = answer

        def log_message(self, *_):
            pass

    return Handler
