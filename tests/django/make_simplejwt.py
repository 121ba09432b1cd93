"""Prints what djangorestframework-simplejwt answers, as JSON: [{"name", "method", "path", "type", "body", "status", "answer", "headers", "claims"?}].

Run it in an environment with django, djangorestframework and djangorestframework-simplejwt:

    python make_simplejwt.py > simplejwt.json

`{access}` and `{refresh}` stand for tokens that POST /api/token/ has answered.
"""

import json
import sys
from datetime import timedelta

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="not a secret: this site lives for a second, and its key is long enough",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    ROOT_URLCONF="make_simplejwt" if __name__ != "__main__" else "__main__",
    ALLOWED_HOSTS=["*"],
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken  # noqa: E402
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView, TokenVerifyView  # noqa: E402

urlpatterns = [
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/token/refresh/", TokenRefreshView.as_view()),
    path("api/token/verify/", TokenVerifyView.as_view()),
]

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


def parts(*fields):
    """A body of (head of the part, text) pairs."""
    return "".join(f"--b\r\n{head}\r\n\r\n{text}\r\n" for head, text in fields) + "--b--\r\n"


def field(name, more=""):
    return f'Content-Disposition: form-data; name="{name}"{more}'


ANNA = {"username": "anna", "password": "correct horse anna"}
CASES = [
    ("a pair", "POST", "", JSON, ANNA),
    ("a pair by form", "POST", "", FORM, "username=anna&password=correct+horse+anna"),
    ("a pair by multipart", "POST", "", MULTIPART, parts((field("username"), "anna"), (field("password"), "correct horse anna"))),
    ("multipart, the last of two counts", "POST", "", MULTIPART,
     parts((field("username"), "x"), (field("username"), "anna"), (field("password"), "correct horse anna"))),
    ("multipart in a quoted boundary", "POST", "", 'multipart/form-data; charset=utf-8; boundary="b"',
     parts((field("username") + "\r\nContent-Type: text/plain; charset=utf-8", "anna"), (field("password"), "correct horse anna"))),
    ("multipart with an unknown field", "POST", "", MULTIPART,
     parts((field("next"), "/"), (field("username"), "anna"), (field("password"), "correct horse anna"))),
    ("multipart with a wrong password", "POST", "", MULTIPART, parts((field("username"), "anna"), (field("password"), "x"))),
    ("multipart with an empty text", "POST", "", MULTIPART, parts((field("username"), ""), (field("password"), "x"))),
    ("multipart without a field", "POST", "", MULTIPART, parts((field("username"), "anna"))),
    ("multipart with a file for a text", "POST", "", MULTIPART,
     parts((field("username", '; filename="a.txt"'), "anna"), (field("password"), "x"))),
    ("multipart without a boundary", "POST", "", "multipart/form-data", "x"),
    ("wrong password", "POST", "", JSON, {**ANNA, "password": "x"}),
    ("unknown name", "POST", "", JSON, {**ANNA, "username": "nobody"}),
    ("disabled account", "POST", "", JSON, {"username": "gleb", "password": "correct horse gleb"}),
    ("nothing", "POST", "", JSON, {}),
    ("empty body", "POST", "", JSON, ""),
    ("empty texts", "POST", "", JSON, {"username": "", "password": ""}),
    ("null", "POST", "", JSON, {"username": None, "password": "x"}),
    ("a list for a text", "POST", "", JSON, {"username": ["anna"], "password": "x"}),
    ("true for a text", "POST", "", JSON, {"username": True, "password": "x"}),
    ("a list", "POST", "", JSON, []),
    ("a text", "POST", "", JSON, '"x"'),
    ("broken JSON", "POST", "", JSON, "{"),
    ("another type", "POST", "", "text/plain", "x"),
    ("GET", "GET", "", None, None),
    ("refresh", "POST", "refresh/", JSON, {"refresh": "{refresh}"}),
    ("refresh by multipart", "POST", "refresh/", MULTIPART, parts((field("refresh"), "{refresh}"))),
    ("refresh by an access token", "POST", "refresh/", JSON, {"refresh": "{access}"}),
    ("refresh by nonsense", "POST", "refresh/", JSON, {"refresh": "nonsense"}),
    ("refresh by nothing", "POST", "refresh/", JSON, {}),
    ("refresh by an empty text", "POST", "refresh/", JSON, {"refresh": ""}),
    ("refresh GET", "GET", "refresh/", None, None),
    ("refresh of a disabled account", "POST", "refresh/", JSON, {"refresh": "{vera_refresh}"}),
    ("refresh by an expired token", "POST", "refresh/", JSON, {"refresh": "{expired_refresh}"}),
    ("verify access", "POST", "verify/", JSON, {"token": "{access}"}),
    ("verify refresh", "POST", "verify/", JSON, {"token": "{refresh}"}),
    ("verify nonsense", "POST", "verify/", JSON, {"token": "nonsense"}),
    ("verify nothing", "POST", "verify/", JSON, {}),
    ("verify PUT", "PUT", "verify/", JSON, {"token": "x"}),
]


def main():
    call_command("migrate", verbosity=0)
    User.objects.create_user("anna", password=ANNA["password"])
    User.objects.create_user("gleb", password="correct horse gleb", is_active=False)
    client = Client()
    pair = client.post("/api/token/", ANNA, content_type=JSON).json()
    vera = User.objects.create_user("vera", password="correct horse vera")
    pair["vera_refresh"] = str(RefreshToken.for_user(vera))
    User.objects.filter(pk=vera.pk).update(is_active=False)
    expired = RefreshToken.for_user(User.objects.get(username="anna"))
    expired.set_exp(lifetime=timedelta(days=-1))
    pair["expired_refresh"] = str(expired)
    answers = []
    for name, method, tail, kind, body in CASES:
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        sent = text
        if text is not None:
            for token in pair:
                sent = sent.replace("{" + token + "}", pair[token])
        answer = client.generic(method, "/api/token/" + tail, data=sent or "", **({"content_type": kind} if kind else {}))
        told = answer.json()
        claims = None
        if name in ("a pair", "refresh"):
            claims = {name: value for name, value in AccessToken(told["access"]).payload.items() if name in ("token_type", "user_id")}
        for key in ("access", "refresh"):
            if key in told and isinstance(told[key], str) and told[key].startswith("eyJ"):
                told[key] = "{token}"
        headers = {key.lower(): answer[key] for key in ("WWW-Authenticate", "Allow", "Content-Type") if key in answer}
        answers.append({"name": name, "method": method, "path": "/api/token/" + tail, "type": kind, "body": text,
                        "status": answer.status_code, "answer": told, "headers": headers, **({"claims": claims} if claims else {})})
    json.dump(answers, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
