"""The chat in a frame: where a channel is, and which header keeps a frame empty."""

import re
from urllib.parse import quote, urlsplit

import requests
from django.conf import settings

from .provider import TIMEOUT, provider

_CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,128}")


def is_channel(name):
    """Whether this can be the name of a channel: it becomes part of an address."""
    return bool(_CHANNEL.fullmatch(name)) and name not in (".", "..")


def address_of(channel, access_token):
    """Where the channel is, asked of the provider with the person's token; it refuses channels that are not theirs."""
    answer = provider.ask(
        "GET",
        f"{settings.OIDC_ISSUER}/rocketchat/open",
        params={"channel": channel},
        headers={"Authorization": f"Bearer {access_token}"},
    )
    url = str(answer.get("url", ""))
    return url if _origin(url) == _origin(settings.CHAT_URL) else ""


def link_of(channel):
    """Where a browser opens the channel in a window of its own, signing in on the way."""
    return f"{settings.OIDC_ISSUER}/rocketchat/open?channel={quote(channel)}"


def refusal(channel):
    """Why a frame with this channel stays empty, or `None`: `{"cause": …, "header": …, "setting": …}`.

    Only the address from the settings is asked, without any cookie.
    """
    try:
        # The body is not read: the headers are all that is wanted.
        with requests.get(f"{settings.CHAT_URL}/channel/{quote(channel)}", timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            headers, status = answer.headers, answer.status_code
    except requests.RequestException:
        return {"cause": "unreachable", "header": "", "setting": ""}
    return judge(headers, settings.SITE_URL, settings.CHAT_URL) or ({"cause": "status", "header": str(status), "setting": ""} if status >= 400 else None)


def judge(headers, site, chat):
    """Which header forbids a page of `site` to frame one of `chat`, as a browser judges it."""
    policy = headers.get("Content-Security-Policy", "")
    ancestors = [rule.split()[1:] for part in policy.split(",") for rule in part.split(";") if rule.split()[:1] == ["frame-ancestors"]]
    if ancestors:
        # With frame-ancestors browsers do not look at the other header (CSP 3 §6.4.2.2).
        if all(any(_matches(source, site, chat) for source in sources) for sources in ancestors):
            return None
        return {"cause": "frame-ancestors", "header": f"Content-Security-Policy: frame-ancestors {' '.join(ancestors[0])}", "setting": ""}
    values = {value.strip().lower() for value in headers.get("X-Frame-Options", "").split(",") if value.strip()}
    if not values & {"deny", "sameorigin"} or (values == {"sameorigin"} and _origin(site) == _origin(chat)):
        return None
    return {"cause": "x-frame-options", "header": f"X-Frame-Options: {headers['X-Frame-Options']}", "setting": "Iframe_Restrict_Access"}


def _matches(source, site, chat):
    source = source.lower()
    if source == "'self'":
        return _origin(site) == _origin(chat)
    if source == "*":
        return True
    parts = urlsplit(site)
    if source.endswith(":") and "/" not in source:
        return source == f"{parts.scheme}:"
    scheme, _, rest = source.rpartition("://")
    host, _, port = rest.partition(":")
    if scheme and scheme != parts.scheme:
        return False
    if port and port != "*" and port != str(parts.port or {"http": 80, "https": 443}[parts.scheme]):
        return False
    if not port and parts.port:
        return False
    return parts.hostname.endswith(host[1:]) if host.startswith("*.") else parts.hostname == host


def _origin(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
