"""The pages: home with its talk, registration, moderators, chat."""

import math

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.validators import EmailValidator, ValidationError
from django.http import HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from . import chat as chat_frame
from . import people
from .middleware import access_token
from .models import Person, Talk
from .people import Changed, Invalid, Refused, Taken, Unreachable
from .sign_in import TOKENS
from .throttle import TooMany, count_attempt
from .words import LANGUAGES, say

_signed_in = login_required(login_url="sign-in", redirect_field_name="next")
_PASSWORD_LENGTH = 8
_FIELDS = ("username", "name", "email", "password")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def home(request):
    """The talk of the community: everybody reads, members write."""
    if request.method == "POST":
        if not request.user.is_authenticated:
            return redirect("sign-in")
        text = request.POST.get("text", "").strip()[:2000]
        if text:
            Talk.objects.create(text=text, owner=request.user.subject)
        return redirect("home")
    talks = list(Talk.objects.order_by("-id")[:20])
    people = {person.subject: str(person) for person in Person.objects.filter(subject__in={talk.owner for talk in talks})}
    for talk in talks:
        # Who came by the API alone has no name here yet.
        talk.author = people.get(talk.owner, "")
    return render(request, "community/home.html", {"talks": talks})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def register(request):
    """Creates a person at the provider, then sends them there to sign in. The password passes through and is kept nowhere here."""
    if request.user.is_authenticated:
        return redirect("home")
    values = {name: request.POST.get(name, "").strip() for name in _FIELDS if name != "password"}
    if request.method != "POST":
        return render(request, "community/register.html", {"values": values})
    try:
        errors = _register(request, values, request.POST.get("password", ""))
    except TooMany as error:
        return _register_later(request, values, error)
    if errors:
        return render(request, "community/register.html", {"values": values, "errors": errors}, status=422)
    messages.success(request, say(request, "registered"))
    return redirect("sign-in")


def _register_later(request, values, error):
    sentence = say(request, f"too-many-{error.scope}").format(minutes=math.ceil(error.retry_after / 60))
    response = render(request, "community/register.html", {"values": values, "errors": {"form": sentence}}, status=429)
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def _register(request, values, password):
    errors = {name: say(request, "required") for name, value in values.items() if not value}
    if len(password) < _PASSWORD_LENGTH:
        errors["password"] = say(request, "password-short")
    try:
        EmailValidator()(values["email"])
    except ValidationError:
        errors.setdefault("email", say(request, "email-refused"))
    if errors:
        return errors
    count_attempt(request)
    try:
        people.create(**values, password=password, locale=request.language)
    except Taken as error:
        return {name: say(request, "taken") for name in error.fields if name in values} or {"username": say(request, "taken")}
    except Invalid as error:
        # The service speaks English to programs; people get the sentence in their language.
        return {name: say(request, f"{name}-refused") for name in error.fields if name in _FIELDS} or {"form": say(request, "not-accepted")}
    except (Refused, Unreachable):
        return {"form": say(request, "provider-unreachable")}
    return {}


@never_cache
@_signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def moderators(request):
    """People with their roles, changed through the users API. Only an administrator makes administrators."""
    if not request.user.is_moderator:
        return forbidden(request)
    grantable = [role for role in settings.ROLES if request.user.is_staff or role not in settings.ADMIN_ROLES]
    if request.method == "POST":
        return _change_role(request, grantable)
    search, cursor = request.GET.get("search", "")[:200], request.GET.get("cursor", "")[:500]
    found, following, failed = [], "", False
    try:
        found, following = people.search(search, cursor)
    except (Invalid, Refused, Unreachable):
        failed = True
    for person in found:
        person["changeable"] = _may_change(request, person)
    shown = {"people": found, "following": following, "search": search, "grantable": grantable, "failed": failed}
    return render(request, "community/moderators.html", shown, status=503 if failed else 200)


def _may_change(request, person):
    own = person.get("sub") == request.user.subject
    return not own and (request.user.is_staff or person.get("role") not in settings.ADMIN_ROLES)


def _change_role(request, grantable):
    sub, role, version = (request.POST.get(name, "") for name in ("sub", "role", "version"))
    try:
        # The person as they are now, not as the form says.
        person = people.read(sub)
        if role not in grantable or not _may_change(request, person):
            return forbidden(request)
        if version != person.get("version"):
            raise Changed
        # And as they are when it is written: whoever has become an owner in between stays one.
        people.set_role(sub, role, version)
        messages.success(request, say(request, "role-changed"))
    except Changed:
        messages.error(request, say(request, "role-changed-meanwhile"))
    except (Invalid, Taken, Refused, Unreachable):
        messages.error(request, say(request, "role-not-changed"))
    return redirect("moderators")


@never_cache
@_signed_in
@require_GET
def chat(request):
    """The chat in a frame; the script fills it, and says what keeps it empty."""
    channel = request.GET.get("channel") or settings.CHAT_CHANNELS[0]
    if not settings.CHAT_URL or not chat_frame.is_channel(channel):
        return not_found(request)
    channels = [{"name": name, "link": chat_frame.link_of(name)} for name in settings.CHAT_CHANNELS]
    shown = {"channels": channels, "channel": channel, "link": chat_frame.link_of(channel), "patience": int(settings.CHAT_PATIENCE * 1000)}
    return render(request, "community/chat.html", shown)


@never_cache
@require_GET
def chat_open(request):
    """`{"url"}` of a channel, asked once a switch; `{"message"}` with 403 when the channel is not this person's."""
    channel = request.GET.get("channel", "")
    if not request.user.is_authenticated:
        return JsonResponse({"message": say(request, "session-ended")}, status=401)
    if not chat_frame.is_channel(channel):
        return JsonResponse({"message": say(request, "no-such-channel")}, status=400)
    try:
        url = chat_frame.address_of(channel, access_token(request))
    except Refused as error:
        if error.status == 401:
            # The session at the provider is over: the next page finds out.
            request.session[TOKENS] = {**request.session[TOKENS], "checked_at": 0}
            return JsonResponse({"message": say(request, "session-ended")}, status=401)
        return JsonResponse({"message": say(request, "channel-not-yours")}, status=403)
    except Unreachable:
        url = ""
    return JsonResponse({"url": url}) if url else JsonResponse({"message": say(request, "provider-unreachable")}, status=503)


@never_cache
@require_GET
def chat_headers(request):
    """`{"message", "header", "setting"}`: what keeps the frame empty; `message` is empty when no header does."""
    channel = request.GET.get("channel", "")
    if not request.user.is_authenticated or not chat_frame.is_channel(channel) or not settings.CHAT_URL:
        return JsonResponse({"message": say(request, "no-such-channel")}, status=400)
    found = chat_frame.refusal(channel)
    if found is None:
        return JsonResponse({"message": "", "header": "", "setting": ""})
    return JsonResponse({**found, "message": say(request, f"frame-{found['cause']}")})


@require_POST
def language(request):
    """Keeps the language in a cookie."""
    wanted, back = request.POST.get("language", ""), request.POST.get("back", "")
    response = HttpResponseRedirect(back if back.startswith("/") and not back.startswith(("//", "/\\")) else reverse("home"))
    if wanted in LANGUAGES:
        response.set_cookie("besedka_language", wanted, max_age=31536000, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE, httponly=True)
    return response


def forbidden(request, exception=None):
    """403"""
    return render(request, "community/message.html", {"heading": say(request, "forbidden"), "text": say(request, "forbidden-lead")}, status=403)


def not_found(request, exception=None):
    """404"""
    return render(request, "community/message.html", {"heading": say(request, "not-found"), "text": say(request, "not-found-lead")}, status=404)


def csrf_failure(request, reason=""):
    """A form of another session, or of another site."""
    return render(request, "community/message.html", {"heading": say(request, "form-old"), "text": say(request, "form-old-lead")}, status=403)
