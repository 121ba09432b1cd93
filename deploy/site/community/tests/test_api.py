"""Access tokens at the API: who may what, and every forgery that we know of."""

import hashlib
import hmac
import time
from unittest import mock

from django.conf import settings
from django.test import TestCase

from community import tokens
from community.models import Article, Author, Talk
from community.provider import Unreachable

from . import keys


class ApiCase(TestCase):
    """The keys come from the test instead of the provider."""

    def setUp(self):
        self.fetched = 0
        self.published = keys.document()
        patched = mock.patch.object(tokens, "key_set", tokens.KeySet(self.fetch))
        patched.start()
        self.addCleanup(patched.stop)

    def fetch(self):
        self.fetched += 1
        return self.published

    def ask(self, method, path, token=None, body=None, authorization=None):
        headers = {"authorization": authorization or f"Bearer {token}"} if token or authorization else {}
        options = {"data": body, "content_type": "application/json"} if body is not None else {}
        return getattr(self.client, method)(f"/api/{path}", headers=headers, **options)

    def refused(self, token, expected="invalid_token"):
        answer = self.ask("get", "me/", token)
        self.assertEqual(answer.status_code, 401, answer.content)
        self.assertEqual(answer.json()["error"], expected)
        challenge = answer.headers["WWW-Authenticate"]
        self.assertTrue(challenge.startswith('Bearer realm="besedka"'), challenge)
        self.assertIn(f'error="{expected}"', challenge)
        self.assertNotIn(token, answer.content.decode())
        # A forged token opens no page that needs none, either.
        self.assertEqual(self.ask("get", "articles/", token).status_code, 401)


class GoodTokens(ApiCase):
    def test_a_good_token_is_taken_and_the_keys_are_read_once(self):
        for _ in range(3):
            answer = self.ask("get", "me/", keys.sign(keys.access_claims(scope="openid authors.add")))
            self.assertEqual(answer.json(), {"sub": "anna-sub", "client_id": "site", "roles": ["user"], "scopes": ["authors.add", "openid"]})
        self.assertEqual(self.fetched, 1)

    def test_every_listed_algorithm_and_audience_lists_work(self):
        token = keys.sign(keys.access_claims(aud=["elsewhere", settings.API_AUDIENCE]), keys.EC_KEY, "ES256", kid="ec-1")
        self.assertEqual(self.ask("get", "me/", token).status_code, 200)

    def test_a_clock_that_differs_by_seconds_is_forgiven(self):
        now = int(time.time())
        self.assertEqual(self.ask("get", "me/", keys.sign(keys.access_claims(exp=now - 5, iat=now - 600))).status_code, 200)
        self.assertEqual(self.ask("get", "me/", keys.sign(keys.access_claims(iat=now + 5))).status_code, 200)

    def test_the_scheme_is_read_in_any_case(self):
        token = keys.sign(keys.access_claims())
        self.assertEqual(self.ask("get", "me/", authorization=f"bearer  {token}").status_code, 200)


class Forgeries(ApiCase):
    def test_alg_none(self):
        for algorithm in ("none", "None", "NONE"):
            self.refused(keys.forge(keys.access_claims(), {"alg": algorithm, "typ": "at+jwt", "kid": "rsa-1"}))

    def test_hmac_with_the_public_key_as_the_secret(self):
        signed = keys.forge(keys.access_claims(), {"alg": "HS256", "typ": "at+jwt", "kid": "rsa-1"}).rpartition(".")[0]
        mac = hmac.new(keys.PUBLIC_PEM, signed.encode(), hashlib.sha256).digest()
        self.refused(f"{signed}.{keys.forge({}, {}, mac).rpartition('.')[2]}")

    def test_a_key_used_for_another_algorithm(self):
        self.refused(keys.sign(keys.access_claims(), keys.EC_KEY, "ES256", kid="rsa-1"))
        self.refused(keys.sign(keys.access_claims(), keys.KEY, "PS256"))

    def test_a_wrong_audience(self):
        for audience in ("elsewhere", settings.OIDC_ISSUER, ["elsewhere"], None):
            self.refused(keys.sign(keys.access_claims(aud=audience)))

    def test_another_issuer(self):
        for issuer in ("https://other.example.org", settings.OIDC_ISSUER + "/", None):
            self.refused(keys.sign(keys.access_claims(iss=issuer)))

    def test_an_id_token_is_no_access_token(self):
        self.refused(keys.sign(keys.access_claims(nonce="n"), typ="JWT"))
        self.refused(keys.sign(keys.access_claims(), typ="logout+jwt"))
        self.refused(keys.forge(keys.access_claims(), {"alg": "RS256", "kid": "rsa-1"}, b"x"))

    def test_an_expired_token(self):
        self.refused(keys.sign(keys.access_claims(exp=int(time.time()) - 60)))
        self.refused(keys.sign(keys.access_claims(exp=None)))

    def test_a_token_of_the_future(self):
        self.refused(keys.sign(keys.access_claims(iat=int(time.time()) + 3600)))
        self.refused(keys.sign(keys.access_claims(nbf=int(time.time()) + 3600)))

    def test_a_signature_of_another_key(self):
        self.refused(keys.sign(keys.access_claims(), keys.OTHER_KEY))

    def test_changed_claims(self):
        head, _, signature = keys.sign(keys.access_claims()).split(".")
        claims = keys.forge(keys.access_claims(roles=["owner"]), {}).split(".")[1]
        self.refused(f"{head}.{claims}.{signature}")

    def test_a_key_that_the_token_brings_itself(self):
        jwk = keys.RSAAlgorithm.to_jwk(keys.OTHER_KEY.public_key(), as_dict=True)
        self.refused(keys.sign(keys.access_claims(), keys.OTHER_KEY, jwk=jwk))
        self.refused(keys.sign(keys.access_claims(), keys.OTHER_KEY, jku="https://elsewhere.example.org/keys"))

    def test_headers_and_claims_of_wrong_types(self):
        self.refused(keys.sign(keys.access_claims(), crit=["exp"]))
        self.refused(keys.sign(keys.access_claims(), kid=None))
        for changed in ({"sub": None}, {"client_id": None}, {"jti": None}, {"exp": True}):
            self.refused(keys.sign(keys.access_claims(**changed)))

    def test_garbage(self):
        for token in ("x", "a.b.c", "." * 5, "a" * 20000, "é.é.é"):
            self.assertEqual(self.ask("get", "me/", token).status_code, 401)
        for header in ("Bearer", "Bearer ", "Bearer a b"):
            self.assertEqual(self.ask("get", "me/", authorization=header).status_code, 401)

    def test_basic_is_refused_even_where_nobody_needs_to_sign_in(self):
        for path in ("me/", "articles/"):
            answer = self.ask("get", path, authorization="Basic YW5uYTpzZWNyZXQ=")
            self.assertEqual(answer.status_code, 401)
            # RFC 6750 §3.1: no error code for a scheme that is not spoken.
            self.assertEqual(answer.headers["WWW-Authenticate"], 'Bearer realm="besedka"')
            self.assertIn("Basic", answer.json()["error_description"])


class Keys(ApiCase):
    def test_an_unknown_kid_makes_the_keys_be_read_again_once_a_minute(self):
        with mock.patch("community.clock.now", return_value=time.time()) as now:
            self.assertEqual(self.ask("get", "me/", keys.sign(keys.access_claims())).status_code, 200)
            self.published = keys.document("rsa-1", "rsa-2")
            rotated = keys.sign(keys.access_claims(), kid="rsa-2")
            for _ in range(5):
                self.assertEqual(self.ask("get", "me/", rotated).status_code, 401)
            self.assertEqual(self.fetched, 1)
            now.return_value += 61
            self.assertEqual(self.ask("get", "me/", rotated).status_code, 200)
            self.assertEqual(self.fetched, 2)

    def test_keys_that_were_read_survive_an_outage_and_the_first_reading_does_not(self):
        with mock.patch("community.clock.now", return_value=time.time()) as now:
            with mock.patch.object(tokens.key_set, "_fetch", side_effect=Unreachable("down")):
                answer = self.ask("get", "me/", keys.sign(keys.access_claims()))
                self.assertEqual((answer.status_code, answer.json()["error"]), (503, "temporarily_unavailable"))
            now.return_value += 61
            self.assertEqual(self.ask("get", "me/", keys.sign(keys.access_claims())).status_code, 200)
            now.return_value += 4000
            with mock.patch.object(tokens.key_set, "_fetch", side_effect=Unreachable("down")):
                token = keys.sign(keys.access_claims(exp=int(now.return_value) + 600, iat=int(now.return_value)))
                self.assertEqual(self.ask("get", "me/", token).status_code, 200)

    def test_unusable_keys_are_passed_over(self):
        self.published = {"keys": [{"kty": "RSA", "kid": "broken", "n": "!"}, {"kty": "oct", "kid": "secret", "k": "AAAA"}, *keys.document()["keys"]]}
        self.assertEqual(self.ask("get", "me/", keys.sign(keys.access_claims())).status_code, 200)
        self.refused(keys.sign(keys.access_claims(), kid="broken"))


class Permissions(ApiCase):
    """Each way of permitting, from nobody to an administrator."""

    def token(self, role=None, sub="anna-sub", scope="openid", **changed):
        return keys.sign(keys.access_claims(sub=sub, roles=[role] if role else None, scope=scope, **changed))

    def statuses(self, method, path, body=None):
        given = [None, self.token("user"), self.token("moderator"), self.token("owner")]
        return [self.ask(method, path, token, body).status_code for token in given]

    def test_authenticated_only(self):
        self.assertEqual(self.statuses("get", "me/"), [401, 200, 200, 200])
        answer = self.ask("get", "me/")
        self.assertEqual(answer.headers["WWW-Authenticate"], 'Bearer realm="besedka"')

    def test_administrators_only(self):
        self.assertEqual(self.statuses("get", "statistics/"), [401, 403, 403, 200])

    def test_by_role(self):
        self.assertEqual(self.statuses("get", "moderation/"), [401, 403, 200, 200])
        answer = self.ask("get", "moderation/", self.token("user"))
        self.assertIn("moderator", answer.json()["error_description"])

    def test_read_only_for_anonymous(self):
        self.assertEqual(self.statuses("get", "articles/"), [200, 200, 200, 200])
        self.assertEqual(self.statuses("post", "articles/", {"title": "t", "text": "x"}), [401, 201, 201, 201])

    def test_by_object_owner(self):
        article = Article.objects.create(title="t", text="x", owner="anna-sub")
        path = f"articles/{article.pk}/"
        for sub, status in (("anna-sub", 200), ("boris-sub", 403)):
            self.assertEqual(self.ask("patch", path, self.token("user", sub), {"title": "new"}).status_code, status)
        # Whoever says in the body that it is theirs does not own it.
        self.ask("patch", path, self.token("user"), {"owner": "boris-sub"})
        self.assertEqual(Article.objects.get().owner, "anna-sub")
        self.assertEqual(self.ask("delete", path).status_code, 401)
        self.assertEqual(self.ask("delete", path, self.token("user", "boris-sub")).status_code, 403)
        self.assertEqual(self.ask("delete", path, self.token("user")).status_code, 204)

    def test_by_model_permission(self):
        author = Author.objects.create(name="a")
        self.assertEqual(self.statuses("get", "authors/"), [200, 200, 200, 200])
        self.assertEqual(self.statuses("post", "authors/", {"name": "b"}), [401, 403, 403, 403])
        self.assertEqual(self.ask("post", "authors/", self.token(scope="authors.add"), {"name": "b"}).status_code, 201)
        self.assertEqual(self.ask("patch", f"authors/{author.pk}/", self.token(scope="authors.change"), {"name": "c"}).status_code, 200)
        self.assertEqual(self.ask("delete", f"authors/{author.pk}/", self.token(scope="authors.delete")).status_code, 204)
        for scope in ("authors.change", "authors.adds", "authors", "articles.add"):
            answer = self.ask("post", "authors/", self.token(scope=scope), {"name": "d"})
            self.assertEqual((answer.status_code, answer.json()["error"]), (403, "insufficient_scope"))
            self.assertEqual(answer.headers["WWW-Authenticate"], 'Bearer realm="besedka", error="insufficient_scope", scope="authors.add"')

    def test_the_mixed_rule(self):
        talk = Talk.objects.create(text="t", owner="anna-sub")
        self.assertEqual(self.statuses("get", "talks/"), [200, 200, 200, 200])
        self.assertEqual(self.statuses("post", "talks/", {"text": "x"}), [401, 201, 201, 201])
        self.assertEqual(self.statuses("patch", f"talks/{talk.pk}/", {"text": "y"}), [401, 403, 403, 200])
        self.assertEqual(self.statuses("delete", f"talks/{talk.pk}/"), [401, 403, 403, 204])

    def test_a_service_is_no_member_whatever_roles_its_token_has(self):
        token = self.token("owner", sub="worker", client_id="worker")
        self.assertEqual(self.ask("get", "statistics/", token).status_code, 403)
        self.assertEqual(self.ask("post", "talks/", token, {"text": "x"}).status_code, 403)
        self.assertEqual(self.ask("get", "me/", token).json()["roles"], [])

    def test_roles_that_are_a_string_are_none(self):
        token = keys.sign(keys.access_claims(roles="owner"))
        self.assertEqual(self.ask("get", "statistics/", token).status_code, 403)

    def test_bad_bodies_have_an_error_and_unknown_objects_a_404(self):
        token = self.token("user")
        answer = self.ask("post", "articles/", token, {"title": ""})
        self.assertEqual((answer.status_code, sorted(answer.json()["errors"])), (400, ["text", "title"]))
        answer = self.client.post("/api/articles/", data="{", content_type="application/json", headers={"authorization": f"Bearer {token}"})
        self.assertEqual((answer.status_code, answer.json()["error"]), (400, "parse_error"))
        self.assertEqual(self.ask("get", "articles/999/", token).json()["error"], "not_found")
        self.assertEqual(self.ask("delete", "me/", token).status_code, 405)
