"""Loads a fixture that was exported onto a dump into the site that it came from: nothing but what was changed is another than before.

    python check_onto.py SITE.DB FIXTURE CHANGES PEOPLE     both JSON: {name: {column: value}} and {name: password}
"""

import json
import sys

import make_dump


def rows():
    from community.models import Member

    found = {}
    for member in Member.objects.all():
        row = {field.name: getattr(member, field.attname) for field in Member._meta.concrete_fields}
        row["groups"] = sorted(member.groups.values_list("name", flat=True))
        row["user_permissions"] = sorted(member.user_permissions.values_list("pk", flat=True))
        found[member.username] = row
    return found


def main():
    site, fixture = sys.argv[1:3]
    changes, people = json.loads(sys.argv[3]), json.loads(sys.argv[4])
    make_dump.configure(site)
    from django.contrib.auth import authenticate
    from django.core.management import call_command

    before = rows()
    assert before["anna"]["is_superuser"] and before["anna"]["groups"] and before["anna"]["user_permissions"] and before["anna"]["karma"]
    call_command("loaddata", fixture, verbosity=0)
    after = rows()
    added = set(after) - set(before)
    assert added == set(people) - set(before), added
    for name, row in before.items():
        different = {column: value for column, value in after[name].items() if value != row[column]}
        if "password" in different:
            assert name in people, f"{name} got another password"
            del different["password"]
        assert different == changes.get(name, {}), (name, different)
    for name, password in people.items():
        assert authenticate(username=name, password=password) is not None, name


main()
