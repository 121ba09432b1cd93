"""What the site remembers: people as the provider named them, whose session is whose, and what the API is about."""

import uuid

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.crypto import salted_hmac


class PersonManager(BaseUserManager):
    """Makes people of what the provider says about them."""

    def from_claims(self, issuer, claims):
        """The person of this issuer and `sub`, with name, e-mail and roles as the claims have them.

        Neither the user name nor the e-mail is looked at: they can be given to somebody else one day (OIDC Core §5.7).
        """
        person, _ = self.update_or_create(issuer=issuer, subject=claims["sub"], defaults=_facts(claims))
        return person


def _facts(claims):
    roles = claims.get("roles")
    return {
        "username": str(claims.get("preferred_username") or "")[:150],
        "name": str(claims.get("name") or "")[:255],
        "email": str(claims.get("email") or "")[:254],
        # A string where an array belongs gives no role, least of all its letters.
        "roles": [role for role in roles if isinstance(role, str)] if isinstance(roles, list) else [],
    }


class Person(AbstractBaseUser):
    """Somebody who has signed in. There is no password here, and no role that the provider did not say."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    password = None
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    username = models.CharField(max_length=150, blank=True)
    name = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=254, blank=True)
    roles = models.JSONField(default=list)

    USERNAME_FIELD = "id"
    objects = PersonManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="person_identity")]

    @property
    def is_staff(self):
        """What `IsAdminUser` and its like ask."""
        return bool(settings.ADMIN_ROLES.intersection(self.roles))

    @property
    def is_moderator(self):
        """Whether the moderators' page is theirs."""
        return bool(settings.MODERATOR_ROLES.intersection(self.roles))

    def get_session_auth_hash(self):
        """What Django keeps in each session: of the identity, as there is no password whose change would end sessions."""
        return salted_hmac("community.Person", f"{self.issuer} {self.subject}", algorithm="sha256").hexdigest()

    def get_session_auth_fallback_hash(self):
        """There is no older form of it."""
        return ()

    def __str__(self):
        return self.name or self.username or self.subject


class SignedIn(models.Model):
    """Which of the site's sessions belongs to which session of the provider, so that a logout token ends the right ones."""

    session_key = models.CharField(max_length=40, unique=True)
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    sid = models.CharField(max_length=255, blank=True, db_index=True)


class HeardLogout(models.Model):
    """A logout token that was obeyed: never twice, and no sign-in of that session afterwards."""

    jti = models.CharField(max_length=255, unique=True)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, blank=True)
    sid = models.CharField(max_length=255, blank=True, db_index=True)
    heard_at = models.FloatField(db_index=True)


class RegistrationAttempt(models.Model):
    """Somebody tried to register from this address: a row until it no longer counts (throttle.py)."""

    address = models.CharField(max_length=64, db_index=True)
    made_at = models.FloatField(db_index=True)


class Author(models.Model):
    """Somebody whose books the community reads: changed by whom the model permissions let."""

    name = models.CharField(max_length=200)


class Article(models.Model):
    """Everybody reads it, its owner changes it."""

    title = models.CharField(max_length=200)
    text = models.TextField(max_length=20000)
    owner = models.CharField(max_length=255, editable=False, db_index=True)


class Talk(models.Model):
    """Anyone reads, members post, administrators everything."""

    text = models.TextField(max_length=2000)
    owner = models.CharField(max_length=255, editable=False)
