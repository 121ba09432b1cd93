"""Sign-in, roles, moderators and chat, against a provider of the test's own."""

import re
import time
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from django.test import Client, SimpleTestCase, TestCase, override_settings

from community import chat, words
from community.models import Person, Talk

from .stub import StubProvider


class PageCase(TestCase):
    def setUp(self):
        self.provider = StubProvider(self, CHAT_URL="https://chat.example.org")
        self.time = mock.patch("community.clock.now", return_value=time.time()).start()
        self.addCleanup(mock.patch.stopall)

    def is_in(self, browser):
        return b'id="who"' in browser.get("/").content

    def roles(self, browser):
        return re.search(r'data-roles="([^"]*)"', browser.get("/").content.decode()).group(1)


class SignIn(PageCase):
    def test_the_request_has_pkce_state_and_nonce_and_the_answer_makes_a_person_of_issuer_and_sub(self):
        browser = self.provider.sign_in()
        self.assertTrue(self.is_in(browser))
        asked = self.provider.asked
        self.assertEqual((asked["response_type"], asked["code_challenge_method"]), ("code", "S256"))
        self.assertTrue(asked["state"] and asked["nonce"] and asked["code_challenge"])
        person = Person.objects.get()
        self.assertEqual((person.issuer, person.subject, person.roles), (self.provider.url, "anna-sub", ["user"]))
        # Another name and another address: the same person. Another sub with the same name: somebody else.
        self.provider.people["anna-sub"].update(username="anna2", email="new@example.org")
        self.provider.sign_in()
        self.provider.people["other-sub"] = self.provider.people["anna-sub"]
        self.provider.sign_in("other-sub")
        self.assertEqual(Person.objects.count(), 2)

    def test_the_session_key_changes_with_the_sign_in(self):
        browser = Client()
        browser.get("/oidc/login/")
        before = browser.cookies["besedka"].value
        self.provider.sign_in(browser=browser)
        self.assertNotEqual(browser.cookies["besedka"].value, before)

    def test_attacks_on_the_answer_open_no_session(self):
        for changed in ({"state": "forged"}, {"code": "stolen"}, {"iss": "https://other.example.org"}, {"error": "access_denied"}):
            self.assertFalse(self.is_in(self.provider.sign_in(**changed)), changed)
        for claims in ({"nonce": "other"}, {"aud": "other"}, {"iss": "https://other.example.org"}, {"exp": 1}):
            self.provider.id_claims = claims
            self.assertFalse(self.is_in(self.provider.sign_in()), claims)
        self.provider.id_claims, self.provider.user_claims = {}, {"sub": "boris-sub"}
        self.assertFalse(self.is_in(self.provider.sign_in()))
        self.assertEqual(Person.objects.count(), 0)

    def test_a_callback_in_another_browser_opens_no_session(self):
        self.provider.sign_in()
        used = {"code": "code", "state": self.provider.asked["state"], "iss": self.provider.url}
        victim = Client()
        victim.get("/oidc/callback/", used)
        self.assertFalse(self.is_in(victim))

    def test_a_second_tab_comes_home_when_the_first_has_signed_in(self):
        browser = Client()
        second = parse_qs(urlsplit(browser.get("/oidc/login/").headers["Location"]).query)["state"][0]
        self.provider.sign_in(browser=browser)
        answer = browser.get("/oidc/callback/", {"code": "other", "state": second, "iss": self.provider.url}, follow=True)
        self.assertContains(answer, 'id="who"')
        self.assertNotContains(answer, 'class="notice')

    def test_the_way_back_stays_on_the_site(self):
        ways = {"/chat/?channel=vip": "/chat/?channel=vip", "//evil.example.org/": "/", "https://evil.example.org/": "/", "/\\evil": "/", "chat/": "/"}
        for wanted, expected in ways.items():
            self.provider.sign_in(wanted=wanted)
            self.assertEqual(self.provider.answer.headers["Location"], expected)

    def test_an_unreachable_provider_is_a_sentence(self):
        self.provider.instead[("GET", "/.well-known/openid-configuration")] = (503, {})
        answer = Client(headers={"accept-language": "en"}).get("/oidc/login/", follow=True)
        self.assertContains(answer, "does not answer now")

    def test_signing_out_ends_the_session_revokes_and_goes_to_the_provider_with_the_hint(self):
        browser = self.provider.sign_in()
        self.assertEqual(browser.get("/oidc/logout/").status_code, 405)
        answer = browser.post("/oidc/logout/")
        url = urlsplit(answer.headers["Location"])
        query = parse_qs(url.query)
        self.assertEqual(f"{url.scheme}://{url.netloc}{url.path}", f"{self.provider.url}/logout")
        self.assertEqual(query["post_logout_redirect_uri"], ["http://127.0.0.1:8000/"])
        self.assertEqual(query["id_token_hint"][0].count("."), 2)
        self.assertEqual(self.provider.revoked, ["refresh of session-1"])
        self.assertFalse(self.is_in(browser))

    def test_another_site_cannot_sign_somebody_out(self):
        browser = self.provider.sign_in(browser=Client(enforce_csrf_checks=True))
        self.assertEqual(browser.post("/oidc/logout/").status_code, 403)
        self.assertTrue(self.is_in(browser))


class FreshRoles(PageCase):
    def test_a_changed_role_shows_after_thirty_seconds_and_userinfo_is_not_asked_before(self):
        browser = self.provider.sign_in()
        self.provider.people["anna-sub"]["role"] = "owner"
        asked = self.provider.calls.count(("GET", "/userinfo"))
        self.time.return_value += 29
        self.assertEqual(self.roles(browser), "user")
        self.assertEqual(self.provider.calls.count(("GET", "/userinfo")), asked)
        self.time.return_value += 2
        self.assertEqual(self.roles(browser), "owner")
        self.assertEqual(self.roles(browser), "owner")
        self.assertEqual(self.provider.calls.count(("GET", "/userinfo")), asked + 1)

    def test_a_refused_token_ends_the_session(self):
        browser = self.provider.sign_in()
        self.provider.dead.add("session-1")
        self.time.return_value += 31
        answer = browser.get("/chat/open/?channel=general", headers={"accept": "application/json"})
        self.assertEqual((answer.status_code, answer.json()["message"]), (401, "Your session has ended. Sign in again."))
        browser = self.provider.sign_in(sid="session-2")
        self.provider.dead.add("session-2")
        self.time.return_value += 31
        self.assertContains(browser.get("/", follow=True), "Your session has ended")
        self.assertFalse(self.is_in(browser))

    def test_the_access_token_is_renewed_and_a_dead_refresh_token_ends_the_session(self):
        browser = self.provider.sign_in()
        self.time.return_value += 3600
        self.assertTrue(self.is_in(browser))
        self.assertIn(("POST", "/token"), self.provider.calls)
        self.provider.dead.add("session-1")
        self.time.return_value += 3600
        browser.get("/")
        self.assertFalse(self.is_in(browser))

    def test_an_outage_of_minutes_ends_no_session_and_a_longer_one_does(self):
        browser = self.provider.sign_in()
        self.provider.instead[("GET", "/userinfo")] = (503, "<html>")
        self.time.return_value += 60
        self.assertTrue(self.is_in(browser))
        self.time.return_value += 300
        browser.get("/")
        self.assertFalse(self.is_in(browser))

    def test_somebody_elses_userinfo_ends_the_session(self):
        browser = self.provider.sign_in()
        self.provider.user_claims = {"sub": "boris-sub"}
        self.time.return_value += 31
        browser.get("/")
        self.assertFalse(self.is_in(browser))

    def test_roles_that_are_a_string_are_none(self):
        self.provider.user_claims = {"roles": "owner"}
        self.assertEqual(self.roles(self.provider.sign_in()), "")


class Moderators(PageCase):
    def signed_in(self, role):
        self.provider.people["anna-sub"]["role"] = role
        return self.provider.sign_in()

    def post(self, browser, sub, role, version=None):
        """The form of the page as it is now, unless `version` says otherwise."""
        version = version or (self.provider.shown(sub)["version"] if sub in self.provider.people else "")
        return browser.post("/moderators/", {"sub": sub, "role": role, "version": version}, follow=True)

    def test_a_moderator_makes_moderators_and_no_owners(self):
        browser = self.signed_in("moderator")
        self.assertContains(browser.get("/moderators/"), "boris")
        self.assertContains(self.post(browser, "boris-sub", "moderator"), "The role was changed.")
        self.assertEqual(self.provider.people["boris-sub"]["role"], "moderator")
        self.assertEqual(self.post(browser, "boris-sub", "owner").status_code, 403)
        self.assertEqual(self.post(browser, "boris-sub", "root").status_code, 403)

    def test_a_moderator_cannot_take_an_owner_down_nor_change_their_own_role(self):
        browser = self.signed_in("moderator")
        self.provider.people["boris-sub"]["role"] = "owner"
        self.assertEqual(self.post(browser, "boris-sub", "user").status_code, 403)
        self.assertEqual(self.post(browser, "anna-sub", "user").status_code, 403)

    def test_an_owner_makes_owners(self):
        browser = self.signed_in("owner")
        self.post(browser, "boris-sub", "owner")
        self.assertEqual(self.provider.people["boris-sub"]["role"], "owner")

    def test_members_and_strangers_do_not_come_in(self):
        browser = self.signed_in("user")
        self.assertEqual(browser.get("/moderators/").status_code, 403)
        self.assertEqual(self.post(browser, "boris-sub", "moderator").status_code, 403)
        self.assertEqual(Client().get("/moderators/").headers["Location"], "/oidc/login/?next=/moderators/")
        self.assertEqual(self.provider.people["boris-sub"]["role"], "user")

    def test_a_path_in_place_of_a_sub_stays_a_sub(self):
        browser = self.signed_in("owner")
        self.post(browser, "../clients", "user")
        self.assertIn(("GET", "/api/v1/users/..%2Fclients"), self.provider.calls)

    def test_a_form_of_an_earlier_state_changes_nothing(self):
        browser = self.signed_in("moderator")
        page = browser.get("/moderators/").content.decode()
        seen = self.provider.shown("boris-sub")["version"]
        self.assertIn(f'name="version" value="{seen}"', page)
        self.provider.people["boris-sub"]["name"] = "Борис Борисович"
        for version in (seen, "x\r\nX-Forged: 1", "*", "\""):
            self.assertContains(self.post(browser, "boris-sub", "moderator", version), "Somebody else has just changed this person.")
        self.assertEqual(self.provider.people["boris-sub"]["role"], "user")
        self.assertNotIn(("PATCH", "/api/v1/users/boris-sub"), self.provider.calls)

    def test_whoever_becomes_an_owner_between_the_question_and_the_change_stays_one(self):
        browser = self.signed_in("moderator")
        usual = self.provider._users

        def crowned_meanwhile(body, headers):
            self.provider.people["boris-sub"]["role"] = "owner"
            return usual("PATCH", "boris-sub", {}, body, headers)

        self.provider.instead[("PATCH", "/api/v1/users/boris-sub")] = crowned_meanwhile
        self.assertContains(self.post(browser, "boris-sub", "user"), "Somebody else has just changed this person.")
        self.assertEqual(self.provider.people["boris-sub"]["role"], "owner")


class Chat(PageCase):
    def test_a_switch_asks_once_and_a_refused_channel_is_a_sentence(self):
        browser = self.provider.sign_in()
        self.assertEqual(browser.get("/chat/open/?channel=general").json(), {"url": "https://chat.example.org/channel/general"})
        self.assertEqual(self.provider.calls.count(("GET", "/rocketchat/open")), 1)
        answer = browser.get("/chat/open/?channel=vip")
        self.assertEqual((answer.status_code, answer.json()["message"]), (403, "This channel is not for your role."))
        self.assertEqual(browser.get("/chat/open/?channel=../admin").status_code, 400)
        self.assertEqual(Client().get("/chat/open/?channel=general").status_code, 401)

    def test_an_address_elsewhere_is_not_framed(self):
        browser = self.provider.sign_in()
        self.provider.instead[("GET", "/rocketchat/open")] = (200, {"url": "https://evil.example.org/channel/general"})
        self.assertEqual(browser.get("/chat/open/?channel=general").status_code, 503)

    def test_the_page_says_which_header_refused_the_frame(self):
        browser = self.provider.sign_in()
        path = ("GET", "/channel/general")
        with override_settings(CHAT_URL=self.provider.url):
            self.provider.instead[path] = (200, "", {"X-Frame-Options": "sameorigin"})
            found = browser.get("/chat/headers/?channel=general").json()
            self.assertEqual((found["header"], found["setting"]), ("X-Frame-Options: sameorigin", "Iframe_Restrict_Access"))
            self.assertIn("Iframe_Restrict_Access", found["message"])
            self.provider.instead[path] = (200, "")
            self.assertEqual(browser.get("/chat/headers/?channel=general").json()["message"], "")
            self.provider.instead[path] = (502, "")
            self.assertEqual(browser.get("/chat/headers/?channel=general").json()["header"], "502")
        self.assertEqual(Client().get("/chat/headers/?channel=general").status_code, 400)


class FrameHeaders(SimpleTestCase):
    """As browsers judge them."""

    def judge(self, site="https://example.org", chat_url="https://chat.example.org", **headers):
        found = chat.judge({name.replace("_", "-"): value for name, value in headers.items()}, site, chat_url)
        return found and found["cause"]

    def test_x_frame_options(self):
        for value in ("DENY", "SAMEORIGIN", "sameorigin, sameorigin", "DENY, SAMEORIGIN"):
            self.assertEqual(self.judge(X_Frame_Options=value), "x-frame-options", value)
        # What browsers do not know they ignore.
        for value in ("", "ALLOW-FROM https://example.org", "nonsense"):
            self.assertIsNone(self.judge(X_Frame_Options=value), value)
        self.assertIsNone(self.judge(chat_url="https://example.org/chat", X_Frame_Options="SAMEORIGIN"))
        self.assertEqual(self.judge(chat_url="https://example.org/chat", X_Frame_Options="DENY"), "x-frame-options")

    def test_frame_ancestors_decides_alone(self):
        allowed = ["https://example.org", "example.org", "*", "https:", "'self' https://example.org", "https://*.org", "https://example.org:443"]
        for sources in allowed:
            policy = f"default-src 'self'; frame-ancestors {sources}"
            self.assertIsNone(self.judge(Content_Security_Policy=policy, X_Frame_Options="DENY"), sources)
        for sources in ("'none'", "'self'", "https://other.org", "http://example.org", "https://*.example.org", "https://example.org:8443", ""):
            self.assertEqual(self.judge(Content_Security_Policy=f"frame-ancestors {sources}"), "frame-ancestors", sources)
        both = "frame-ancestors https://example.org, frame-ancestors 'none'"
        self.assertEqual(self.judge(Content_Security_Policy=both), "frame-ancestors")
        self.assertIsNone(self.judge(Content_Security_Policy="frame-ancestors http://127.0.0.1:8000", site="http://127.0.0.1:8000"))


class Pages(PageCase):
    def test_every_sentence_exists_in_both_languages(self):
        for key, pair in words.WORDS.items():
            self.assertEqual(len(pair), 2, key)
            self.assertTrue(all(pair), key)
        for language, accept in (("ru", "ru-RU,ru;q=0.9"), ("en", "en-GB"), ("ru", "fr"), ("ru", "")):
            self.assertContains(Client(headers={"accept-language": accept}).get("/"), f'<html lang="{language}">')

    def test_the_language_is_kept_and_leads_back_to_this_site_only(self):
        for back, expected in (("/register/", "/register/"), ("//evil.example.org", "/"), ("/\\evil.example.org", "/"), ("https://evil.example.org", "/")):
            browser = Client()
            answer = browser.post("/language/", {"language": "en", "back": back})
            self.assertEqual(answer.headers["Location"], expected)
            self.assertContains(browser.get("/"), '<html lang="en">')

    def test_pages_load_nothing_from_elsewhere_and_stand_in_nobodys_frame(self):
        policy = self.client.get("/").headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("unsafe", policy)

    def test_markup_in_words_stays_text(self):
        browser = self.provider.sign_in()
        browser.post("/", {"text": "<script>alert(1)</script>"})
        self.assertEqual(Talk.objects.get().owner, "anna-sub")
        self.assertNotContains(browser.get("/"), "<script>alert")
        self.assertContains(Client().get("/"), "<strong>Анна</strong>")

    def test_strangers_do_not_write_and_unknown_pages_are_a_page(self):
        self.client.post("/", {"text": "x"})
        self.assertEqual(Talk.objects.count(), 0)
        self.assertContains(self.client.get("/nowhere/"), "<h1>", status_code=404)
