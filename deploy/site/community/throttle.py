"""How often somebody may try to register: each attempt asks the provider, and its answer tells which names and addresses are taken."""

import ipaddress
import math

from django.conf import settings
from django.db import transaction

from . import clock
from .models import RegistrationAttempt


class TooMany(Exception):
    """Not now: `scope` is "address" or "all", `retry_after` whole seconds, at least 1."""

    def __init__(self, scope, retry_after):
        super().__init__(scope)
        self.scope, self.retry_after = scope, retry_after


def count_attempt(request):
    """Takes note of an attempt from this address. One that is refused does not count, so waiting always helps. Raises `TooMany`."""
    address, now = address_of(request), clock.now()
    limits = (("address", settings.REGISTER_PER_ADDRESS, {"address": address}), ("all", settings.REGISTER_IN_ALL, {}))
    # Counted and written in one write transaction (settings.DATABASES), so that parallel requests do not slip through together.
    with transaction.atomic():
        RegistrationAttempt.objects.filter(made_at__lte=now - settings.REGISTER_WINDOW).delete()
        for scope, limit, whose in limits:
            # The attempt with whose end there is room again.
            holding = RegistrationAttempt.objects.filter(**whose).order_by("-made_at")[limit - 1 : limit].first()
            if holding is not None:
                raise TooMany(scope, max(1, math.ceil(holding.made_at + settings.REGISTER_WINDOW - now)))
        RegistrationAttempt.objects.create(address=address, made_at=now)


def address_of(request):
    """Where the request comes from, as the outermost of our own proxies saw it; of IPv6 the network, which one person has whole."""
    direct = request.META.get("REMOTE_ADDR", "")
    # Each proxy appends whom it heard: what stands further to the left is the sender's invention.
    heard = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    told = heard[-settings.PROXIES] if 0 < settings.PROXIES <= len(heard) else direct
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return direct[:64]
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
