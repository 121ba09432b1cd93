"""Loads an exported fixture into a fresh Django site and signs everybody in there, by Django's own hashers.

    python check_export.py FIXTURE 'NAME=PASSWORD'…      an empty password means that the person has none
"""

import sys

from django.contrib.auth import authenticate

import make_dump


def main():
    fixture, people = sys.argv[1], dict(pair.split("=", 1) for pair in sys.argv[2:])
    make_dump.configure(":memory:")
    from django.core.management import call_command

    from community.models import Member

    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("loaddata", fixture, verbosity=0)
    assert Member.objects.count() == len(people), sorted(Member.objects.values_list("username", flat=True))
    for name, password in people.items():
        member = Member.objects.get(username=name)
        if not password:
            assert not member.has_usable_password(), name
            continue
        assert member.check_password(password), name
        assert not member.check_password(password + "x"), name
        assert (authenticate(username=name, password=password) is not None) == member.is_active, name
    anna = Member.objects.get(username="anna")
    assert (anna.pk, anna.role, anna.first_name, anna.email) == (101, "admin", "Анна", "anna@example.org"), vars(anna)


main()
