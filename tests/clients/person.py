"""A person without JavaScript: follows redirects one by one, fills the login form, consents, and stops at the callback."""

import json
import os
import sys
import traceback
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

MAX_STEPS = 15


class Deviation(Exception):
    """Something is not as the specification says; the text is the sentence to print."""


def check(condition, sentence):
    """Raises the sentence unless the condition holds."""
    if not condition:
        raise Deviation(sentence)


class Settings:
    """What every script takes from the environment."""

    def __init__(self):
        def need(name):
            value = os.environ.get(name)
            check(value, f"set {name} in the environment")
            return value

        self.issuer = need("ISSUER")
        self.client_id = need("CLIENT_ID")
        self.client_secret = os.environ.get("CLIENT_SECRET") or None
        self.redirect_uri = need("REDIRECT_URI")
        self.username = need("USERNAME")
        self.password = need("PASSWORD")
        self.service_id = os.environ.get("SERVICE_ID")
        self.service_secret = os.environ.get("SERVICE_SECRET")
        self.audience = os.environ.get("AUDIENCE") or self.issuer
        roles = os.environ.get("EXPECT_ROLES")
        self.roles = json.loads(roles) if roles else None
        # "no" for a client that may not introspect; a public client never may.
        self.introspects = self.client_secret is not None and os.environ.get("INTROSPECT") != "no"


def run(client, flow):
    """One JSON line and exit code 0, or one sentence on standard error and exit code 1."""
    try:
        result = flow(Settings())
    except Deviation as deviation:
        sys.exit(f"{client}: {deviation}")
    except Exception as error:  # a library that refuses an answer is a deviation, too
        traceback.print_exc()
        sys.exit(f"{client}: {type(error).__name__}: {error}")
    print(json.dumps({"client": client, **result}, ensure_ascii=False))


def authorize(http, url, settings):
    """Drives the pages with `http` (a requests.Session or an httpx.Client) and returns the callback URL, which is not requested."""
    request = {"method": "GET", "url": url, "headers": {"Sec-Fetch-Site": "none"}}
    signed_in = False
    for _ in range(MAX_STEPS):
        if request["url"].startswith(settings.redirect_uri):
            return request["url"]
        answer = _send(http, request)
        page = str(answer.url)
        location = answer.headers.get("location")
        if location:
            check(answer.status_code in (302, 303), f"a redirect with status {answer.status_code} at {page}")
            site = request["headers"]["Sec-Fetch-Site"]
            request = {"method": "GET", "url": urljoin(page, location), "headers": {"Sec-Fetch-Site": site}}
            continue
        check(answer.status_code == 200, f"status {answer.status_code} at {page}: {_plain(answer.text)}")
        forms = _forms(answer.text)
        login = next((form for form in forms if {"username", "password"} <= form.ids), None)
        consent = next((form for form in forms if "consent-allow" in form.ids), None)
        if login and not signed_in:
            signed_in = True
            credentials = {"username": settings.username, "password": settings.password}
            request = login.press("login-submit", page, credentials)
        elif consent:
            request = consent.press("consent-allow", page, {})
        else:
            raise Deviation(f"stuck at {page}: {_plain(answer.text)}")
    raise Deviation(f"more than {MAX_STEPS} steps from {url}")


def _send(http, request):
    headers = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "en", **request["headers"]}
    arguments = {"data": request["data"]} if "data" in request else {}
    # requests calls it allow_redirects, httpx follow_redirects.
    follow = "allow_redirects" if type(http).__module__.startswith("requests") else "follow_redirects"
    return http.request(request["method"], request["url"], headers=headers, timeout=20, **{follow: False}, **arguments)


class _Form:
    def __init__(self, action):
        self.action, self.fields, self.buttons, self.ids = action, {}, {}, set()

    def press(self, button, page, values):
        check(button in self.buttons, f"no #{button} in its form at {page}")
        pressed = self.buttons[button]
        data = {**self.fields, **values}
        if pressed.get("name"):
            data[pressed["name"]] = pressed.get("value") or ""
        address = urlsplit(page)
        headers = {"Origin": f"{address.scheme}://{address.netloc}", "Referer": page, "Sec-Fetch-Site": "same-origin"}
        url = urljoin(page, pressed.get("formaction") or self.action or page)
        return {"method": "POST", "url": url, "data": data, "headers": headers}


class _FormParser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms, self.open = [], False

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        if tag == "form":
            self.forms.append(_Form(known.get("action")))
            self.open = True
        elif tag in ("input", "button") and self.open:
            self._control(tag, known)

    def handle_endtag(self, tag):
        if tag == "form":
            self.open = False

    def _control(self, tag, known):
        form = self.forms[-1]
        form.ids.add(known.get("id"))
        kind = (known.get("type") or ("submit" if tag == "button" else "text")).lower()
        if kind == "submit":
            form.buttons[known.get("id")] = known
        elif known.get("name") and (kind != "checkbox" or "checked" in known):
            form.fields[known["name"]] = known.get("value") or ""


def _forms(html):
    parser = _FormParser()
    parser.feed(html)
    return parser.forms


class _TextParser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.words, self.hidden = [], False

    def handle_starttag(self, tag, _attributes):
        self.hidden = tag in ("script", "style")

    def handle_endtag(self, _tag):
        self.hidden = False

    def handle_data(self, data):
        if not self.hidden:
            self.words.extend(data.split())


def _plain(html):
    parser = _TextParser()
    parser.feed(html)
    return " ".join(parser.words)[:300]
