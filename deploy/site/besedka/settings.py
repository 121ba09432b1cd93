"""Settings of the site, all from the environment.

The ones that a deployment sets are at the top; a secret comes from a file, never from the environment itself.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def _text(name, default=""):
    return os.environ.get(name, default)


def _number(name, default):
    try:
        return float(_text(name, str(default)))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number") from None


def _count(name, default, least=0):
    number = _number(name, default)
    if number != int(number) or number < least:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {least}")
    return int(number)


def _secret(name):
    path = _text(f"{name}_FILE")
    return Path(path).read_text(encoding="utf-8").strip() if path else ""


# Where browsers reach the site, without a slash at the end.
SITE_URL = _text("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
# The provider, exactly as its discovery document spells it.
OIDC_ISSUER = _text("OIDC_ISSUER", "http://127.0.0.1:8080")
OIDC_CLIENT_ID = _text("OIDC_CLIENT_ID", "site")
OIDC_CLIENT_SECRET = _secret("OIDC_CLIENT_SECRET")
OIDC_SCOPE = _text("OIDC_SCOPE", "openid profile email roles offline_access chat.open")
# The service client by which people are created and changed. It is another one than the client of the sign-in, so that a leaked
# access token of a person never has this power.
PEOPLE_CLIENT_ID = _text("PEOPLE_CLIENT_ID", "site-people")
PEOPLE_CLIENT_SECRET = _secret("PEOPLE_CLIENT_SECRET")
PEOPLE_URL = _text("PEOPLE_URL", f"{OIDC_ISSUER}/api/v1/users")
# The `aud` that access tokens for the API must have.
API_AUDIENCE = _text("API_AUDIENCE", f"{SITE_URL}/api")
# Where browsers reach the chat, and the channels that its page offers; empty for no chat.
CHAT_URL = _text("CHAT_URL").rstrip("/")
CHAT_CHANNELS = _text("CHAT_CHANNELS", "general vip moderators").split()
# Seconds after which a session that is used asks userinfo again, and for which it goes on when the provider does not answer.
ROLES_MAX_AGE = _number("ROLES_MAX_AGE", 30)
ROLES_GRACE = _number("ROLES_GRACE", 300)
# Seconds of an empty chat frame until the page says why.
CHAT_PATIENCE = _number("CHAT_PATIENCE", 10)
# Attempts to register in REGISTER_WINDOW seconds, of one address and of all together.
REGISTER_WINDOW = _number("REGISTER_WINDOW", 3600)
REGISTER_PER_ADDRESS = _count("REGISTER_PER_ADDRESS", 10, least=1)
REGISTER_IN_ALL = _count("REGISTER_IN_ALL", 200, least=1)
# Proxies of ours in front of the site, each of which appends to X-Forwarded-For.
PROXIES = _count("PROXIES", 1 if SITE_URL.startswith("https://") else 0)
# The roles of the service, least first; the site knows three of them by what they may do.
ROLES = ("user", "moderator", "owner")
ADMIN_ROLES = {"owner"}
MODERATOR_ROLES = {"owner", "moderator"}

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(_text("SITE_DATA", str(BASE_DIR / "data")))
DEBUG = _text("DJANGO_DEBUG") == "1"
SECRET_KEY = _secret("DJANGO_SECRET_KEY")
if not SECRET_KEY:
    # Without a file the key lives beside the database, made at the first start.
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    _key = DATA_DIR / "django.key"
    if not _key.exists():
        from django.core.management.utils import get_random_secret_key

        _key.touch(mode=0o600)
        _key.write_text(get_random_secret_key(), encoding="utf-8")
    SECRET_KEY = _key.read_text(encoding="utf-8")

_https = SITE_URL.startswith("https://")
ALLOWED_HOSTS = [urlsplit(SITE_URL).hostname]
CSRF_TRUSTED_ORIGINS = [SITE_URL]
SESSION_COOKIE_NAME = "__Host-besedka" if _https else "besedka"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_AGE = 14 * 86400
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_HSTS_SECONDS = 31536000 if _https else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_COOKIE_NAME = "besedka_csrf"
CSRF_USE_SESSIONS = True
CSRF_FAILURE_VIEW = "community.pages.csrf_failure"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "community",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "community.middleware.content_security_policy",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "community.middleware.fresh_roles",
]
ROOT_URLCONF = "besedka.urls"
WSGI_APPLICATION = "besedka.wsgi.application"
AUTH_USER_MODEL = "community.Person"
# Nobody signs in here by a password: the provider's answer is the only way in.
AUTHENTICATION_BACKENDS = ["community.sign_in.ProviderBackend"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "site.db",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 10, "init_command": "PRAGMA journal_mode=WAL"},
        # A file, as in earnest: threads of a test wait for each other there.
        "TEST": {"NAME": DATA_DIR / "test.db"},
    }
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "community.words.context",
            ]
        },
    }
]
STATIC_URL = "static/"
# Served by the site itself from where they are: there is nothing to collect.
WHITENOISE_USE_FINDERS = True
USE_TZ = True
TIME_ZONE = "UTC"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["community.api.authentication.AccessTokenAuthentication"],
    # Whoever forgets to say who may use a view has said: nobody without a token.
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "community.api.errors.handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
