"""Back-channel logout: which sessions end, and which tokens are believed."""

import time
from unittest import mock

from django.contrib.sessions.models import Session
from django.test import Client, TestCase

from community import tokens
from community.models import HeardLogout

from . import keys
from .stub import StubProvider

ADDRESS = "/oidc/backchannel-logout/"


class Backchannel(TestCase):
    def setUp(self):
        self.provider = StubProvider(self)
        patched = mock.patch.object(tokens, "key_set", tokens.KeySet(keys.document))
        patched.start()
        self.addCleanup(patched.stop)

    def send(self, token):
        return Client(enforce_csrf_checks=True).post(ADDRESS, {"logout_token": token})

    def token(self, header=None, **changed):
        return keys.sign(keys.logout_claims(**changed), **{"typ": "logout+jwt", **(header or {})})

    def is_in(self, browser):
        return b'id="who"' in browser.get("/").content

    def test_with_sid_this_session_of_the_person_ends_and_no_other(self):
        first, second, other = self.provider.sign_in("anna-sub", "session-1"), self.provider.sign_in("anna-sub", "session-2"), self.provider.sign_in("boris-sub", "session-3")
        answer = self.send(self.token())
        self.assertEqual((answer.status_code, answer.headers["Cache-Control"].split(",")[0]), (200, "max-age=0"))
        self.assertEqual([self.is_in(browser) for browser in (first, second, other)], [False, True, True])
        self.assertEqual(self.provider.revoked, ["refresh of session-1"])

    def test_without_sid_all_sessions_of_the_person_end(self):
        browsers = [self.provider.sign_in("anna-sub", "session-1"), self.provider.sign_in("anna-sub", "session-2"), self.provider.sign_in("boris-sub", "session-3")]
        self.assertEqual(self.send(self.token(sid=None)).status_code, 200)
        self.assertEqual([self.is_in(browser) for browser in browsers], [False, False, True])

    def test_the_session_of_somebody_else_does_not_end_by_its_sid(self):
        browser = self.provider.sign_in("boris-sub", "session-1")
        self.assertEqual(self.send(self.token()).status_code, 200)
        self.assertTrue(self.is_in(browser))

    def test_a_token_works_once(self):
        token = self.token(sid=None)
        self.assertEqual(self.send(token).status_code, 200)
        browser = self.provider.sign_in("anna-sub", "session-1")
        answer = self.send(token)
        self.assertEqual((answer.status_code, answer.json()["error"]), (400, "invalid_request"))
        self.assertTrue(self.is_in(browser))

    def test_what_is_no_logout_token_ends_nothing(self):
        browser = self.provider.sign_in("anna-sub", "session-1")
        now = int(time.time())
        event = {"http://schemas.openid.net/event/other": {}}
        bad = [
            self.token(aud="other"),
            self.token(iss="https://other.example.org"),
            self.token(nonce="n"),
            self.token(events=event),
            self.token(events=None),
            self.token(events={keys.LOGOUT_EVENT: "yes"}),
            self.token(jti=None),
            self.token(iat=None),
            self.token(exp=None),
            self.token(exp=now - 60),
            self.token(iat=now - 3600, exp=now + 3600),
            self.token(iat=now + 3600),
            self.token(sub=None, sid=None),
            self.token(sub=["anna-sub"]),
            self.token(header={"typ": "JWT"}),
            self.token(header={"typ": "at+jwt"}),
            keys.sign(keys.logout_claims(), keys.OTHER_KEY, typ="logout+jwt"),
            keys.forge(keys.logout_claims(), {"alg": "none", "typ": "logout+jwt", "kid": "rsa-1"}),
            "",
        ]
        for token in bad:
            answer = self.send(token)
            self.assertEqual((answer.status_code, answer.json()["error"]), (400, "invalid_request"), token)
        self.assertTrue(self.is_in(browser))
        self.assertEqual(HeardLogout.objects.count(), 0)

    def test_other_methods_are_refused(self):
        self.assertEqual(self.client.get(ADDRESS).status_code, 405)

    def test_a_sign_in_that_the_logout_has_overtaken_opens_no_session(self):
        self.send(self.token(sid="session-9"))
        browser = self.provider.sign_in(sid="session-9")
        self.assertFalse(self.is_in(browser))
        self.assertTrue(self.is_in(self.provider.sign_in(sid="session-10")))

    def test_sessions_are_gone_from_the_database(self):
        self.provider.sign_in("anna-sub", "session-1")
        self.assertEqual(Session.objects.count(), 1)
        self.send(self.token())
        self.assertEqual(Session.objects.count(), 0)
