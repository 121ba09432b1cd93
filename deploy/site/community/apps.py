from django.apps import AppConfig


class Community(AppConfig):
    """The community's site."""

    name = "community"
