"""People, as the users API of the provider has them: registration and roles. The site keeps no list of its own."""

from urllib.parse import quote

from django.conf import settings

from .provider import Refused, Unreachable, provider


class Invalid(Exception):
    """The API does not take the values: `fields` has a sentence for each that it named."""

    def __init__(self, fields, description=""):
        super().__init__(description)
        self.fields, self.description = fields, description


class Taken(Exception):
    """Somebody has this name or address already."""

    def __init__(self, fields=None):
        super().__init__("taken")
        self.fields = fields or {}


class Changed(Exception):
    """The person is not as they were when they were read."""


def create(username, name, email, password, locale):
    """A new person with the least role. The address is not known to be theirs until they have followed a link."""
    person = {"username": username, "name": name, "email": email, "password": password, "role": settings.ROLES[0], "locale": locale}
    _ask("POST", "", json=person)


def search(text, cursor=""):
    """One page of people, and the cursor of the next."""
    answer = _ask("GET", "", params={"search": text, "limit": 25, "cursor": cursor} if cursor else {"search": text, "limit": 25})
    return answer.get("users", []), answer.get("next_cursor") or ""


def read(sub):
    """One person."""
    return _ask("GET", f"/{quote(sub, safe='')}")


def set_role(sub, role, version):
    """Gives the person another role, if they still are as `version` says; raises `Changed` otherwise."""
    return _ask("PATCH", f"/{quote(sub, safe='')}", {"If-Match": f'"{version}"'}, json={"role": role})


def _ask(method, path, conditions=None, **options):
    """One request of the API with the site's own token; with a fresh one when the first is refused."""
    for attempt in range(2):
        headers = {"Authorization": f"Bearer {provider.own_token()}", **(conditions or {})}
        answer = provider.ask_whole(method, f"{settings.PEOPLE_URL}{path}", headers=headers, **options)
        if answer.status_code != 401 or attempt:
            return _judge(answer)
        provider.forget_own_token()
    raise AssertionError("unreachable")


def _judge(answer):
    body = provider.json_of(answer)
    if answer.status_code in (200, 201, 204):
        return body
    errors = body.get("errors") if isinstance(body.get("errors"), list) else []
    fields = {str(error.get("field")): str(error.get("message")) for error in errors if isinstance(error, dict)}
    if answer.status_code == 409:
        raise Taken(fields)
    if answer.status_code == 412:
        raise Changed
    if answer.status_code in (400, 422):
        raise Invalid(fields, str(body.get("error_description", "")))
    raise Refused(answer.status_code, str(body.get("error", "")), str(body.get("error_description", "")))


__all__ = ["Changed", "Invalid", "Refused", "Taken", "Unreachable", "create", "read", "search", "set_role"]
