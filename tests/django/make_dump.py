"""Makes a small Django site with django-oauth-toolkit and writes what `manage.py dumpdata` makes of it.

    python make_dump.py dump dump.json          # the records, as JSON
    python make_dump.py sqlite site.sql         # the same as SQL of SQLite
    python make_dump.py site dump.json site.db  # the records of a site that stays, with superusers and columns of its own

Run it in an environment with django, argon2-cffi and django-oauth-toolkit; the fixtures dot-2.4.json, dot-3.0.json and
dot-3.4.json come from three environments with those versions, site.sql from the newest.
"""

import io
import sqlite3
import sys
from datetime import datetime, timedelta, timezone

import django
from django.conf import settings

LIVE = datetime(2099, 1, 1, tzinfo=timezone.utc)
OVER = datetime(2026, 1, 1, tzinfo=timezone.utc)
JOINED = datetime(2020, 2, 29, 12, tzinfo=timezone.utc)

#: (username, password, hasher, role, first, last, email, active, groups, chat_id)
PEOPLE = [
    ("anna", "correct horse anna", "pbkdf2_sha256", "admin", "Анна", "Петрова", "anna@example.org", True, ["Редакторы"], "rc-anna"),
    ("Борис", "correct horse boris", "md5", "member", "Борис", "", "boris@example.org", True, [], "rc-boris"),
    ("vera+chat@example.org", "correct horse vera", "argon2", "editor", "Вера", "Ли", "vera@example.org", True, ["Редакторы"], "rc-vera"),
    ("gleb", "correct horse gleb", "scrypt", "member", "", "", "", False, [], None),
    ("dina", None, None, "member", "Дина", "", "dina@example.org", True, [], None),
]


def configure(path):
    settings.configure(
        SECRET_KEY="not a secret: this site lives for a second",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "community", "oauth2_provider"],
        AUTH_USER_MODEL="community.Member",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
        PASSWORD_HASHERS=[
            f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ["PBKDF2", "Argon2", "Scrypt", "MD5", "BCryptSHA256"]
        ],
    )
    django.setup()


def people():
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import Group

    from community.models import Member

    Group.objects.create(name="Редакторы")
    for pk, (username, password, hasher, role, first, last, email, active, groups, chat_id) in enumerate(PEOPLE, 101):
        encoded = make_password(password, hasher=hasher) if password else make_password(None)
        member = Member.objects.create(
            pk=pk, username=username, password=encoded, role=role, first_name=first, last_name=last, email=email,
            is_active=active, chat_id=chat_id, date_joined=JOINED, last_login=JOINED + timedelta(days=pk),
        )
        member.groups.set(Group.objects.filter(name__in=groups))
    return {member.username: member for member in Member.objects.all()}


def applications():
    from oauth2_provider.models import Application

    def make(client_id, secret, hashed=True, **fields):
        names = {field.name for field in Application._meta.get_fields()}
        if "hash_client_secret" in names:
            fields["hash_client_secret"] = hashed
        elif not hashed:
            # Before there was a switch every secret was hashed on saving.
            pass
        return Application.objects.create(client_id=client_id, client_secret=secret, **fields)

    code = {"authorization_grant_type": "authorization-code", "client_type": "confidential"}
    return {
        "chat": make("chat", "chat-secret-chat-secret", name="Чат", skip_authorization=True, algorithm="",
                     redirect_uris="https://chat.example.org/_oauth/besedka", **code),
        "wiki": make("wiki", "wiki-secret-wiki-secret", hashed=False, name="Wiki", algorithm="RS256",
                     redirect_uris="https://wiki.example.org/cb\nhttps://wiki.example.org/cb2", **code),
        "mobile": make("mobile", "", name="Mobile", authorization_grant_type="authorization-code", client_type="public",
                       redirect_uris="http://127.0.0.1/cb"),
        "robot": make("robot", "robot-secret-robot-secret", name="Robot", authorization_grant_type="client-credentials",
                      client_type="confidential"),
        "oldapp": make("oldapp", "oldapp-secret", name="Old app", authorization_grant_type="password", client_type="confidential"),
    }


def tokens(members, apps):
    from oauth2_provider.models import AccessToken, RefreshToken

    def access(name, member, app, expires, scope="read openid profile"):
        return AccessToken.objects.create(token=f"{name}-access-token", user=members.get(member), application=apps[app], expires=expires, scope=scope)

    def refresh(name, token, revoked=None):
        return RefreshToken.objects.create(
            token=f"{name}-refresh-token", user=token.user, application=token.application, access_token=token, revoked=revoked
        )

    refresh("anna-wiki", access("anna-wiki", "anna", "wiki", LIVE))
    refresh("boris-wiki", access("boris-wiki", "Борис", "wiki", OVER))
    refresh("vera-wiki", access("vera-wiki", "vera+chat@example.org", "wiki", OVER), revoked=OVER)
    access("anna-chat", "anna", "chat", LIVE)
    access("gleb-wiki", "gleb", "wiki", LIVE)
    access("robot", None, "robot", LIVE, scope="read")
    refresh("anna-mobile", access("anna-mobile", "anna", "mobile", LIVE, scope="openid groups:read"))


def own_columns(members):
    """What only the site knows of its people."""
    from django.contrib.auth.models import Permission

    anna, vera = members["anna"], members["vera+chat@example.org"]
    anna.is_superuser = anna.is_staff = True
    anna.karma = 0.1 + 0.2
    anna.save()
    anna.user_permissions.set(Permission.objects.order_by("pk")[:2])
    vera.is_staff, vera.karma = True, -1e-300
    vera.save()


def main():
    what, target = sys.argv[1:3]
    path = sys.argv[3] if what == "site" else ":memory:"
    configure(path)
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", run_syncdb=True, verbosity=0)
    members = people()
    tokens(members, applications())
    if what == "site":
        own_columns(members)
    if what == "sqlite":
        connection.ensure_connection()
        wanted = ("community_", "oauth2_provider_", "auth_group")
        lines = io.StringIO()
        for line in connection.connection.iterdump():
            if any(f'"{prefix}' in line.split("(")[0] for prefix in wanted) and not line.startswith(("CREATE INDEX", "CREATE UNIQUE")):
                lines.write(line + "\n")
        open(target, "w", encoding="utf-8").write(lines.getvalue())
        return
    labels = ["auth.group", "community", "oauth2_provider"]
    call_command("dumpdata", *labels, indent=1, output=target, verbosity=0)


if __name__ == "__main__":
    main()
