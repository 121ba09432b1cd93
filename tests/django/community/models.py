"""The user model of a site with roles, as communities write it."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Member(AbstractUser):
    username = models.CharField(max_length=150, unique=True)
    role = models.CharField(max_length=20, default="user")
    chat_id = models.CharField(max_length=40, null=True, blank=True)
    #: A column of the site's own, which nobody else knows.
    karma = models.FloatField(default=0)
