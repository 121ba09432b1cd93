"""Prints password hashes made by the real Django, as JSON: [{"hasher", "password", "encoded", "django"}].

Run it in an environment with django, argon2-cffi and bcrypt. The hashers of unsalted and SHA-1 hashes exist up to Django 4.2,
so the fixture is the joined output of two runs, the newest Django and 4.2:

    python make_vectors.py > newest.json
    python make_vectors.py > 4.2.json
    python make_vectors.py --join newest.json 4.2.json > vectors.json
"""

import json
import sys

PASSWORDS = ["correct horse", "пароль с пробелом", "a" * 70, "1"]
HASHERS = [
    "PBKDF2PasswordHasher",
    "PBKDF2SHA1PasswordHasher",
    "Argon2PasswordHasher",
    "BCryptSHA256PasswordHasher",
    "BCryptPasswordHasher",
    "ScryptPasswordHasher",
    "MD5PasswordHasher",
    "SHA1PasswordHasher",
    "UnsaltedMD5PasswordHasher",
    "UnsaltedSHA1PasswordHasher",
]


def vectors():
    import django
    from django.conf import settings
    from django.contrib.auth import hashers

    names = [name for name in HASHERS if hasattr(hashers, name)]
    settings.configure(PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}" for name in names])
    for name in names:
        hasher = getattr(hashers, name)()
        for password in PASSWORDS:
            # What a site has is what make_password wrote; unsalted hashers take no salt.
            salt = "" if name.startswith("Unsalted") else None
            encoded = hashers.make_password(password, salt=salt, hasher=hasher.algorithm)
            assert hashers.check_password(password, encoded)
            yield {"hasher": hasher.algorithm, "password": password, "encoded": encoded, "django": django.get_version()}
    yield {"hasher": "unusable", "password": "", "encoded": hashers.make_password(None), "django": django.get_version()}


def main():
    if sys.argv[1:2] == ["--join"]:
        joined = [vector for file in sys.argv[2:] for vector in json.load(open(file, encoding="utf-8"))]
        print(json.dumps(joined, ensure_ascii=False, indent=1))
        return
    print(json.dumps(list(vectors()), ensure_ascii=False, indent=1))


main()
