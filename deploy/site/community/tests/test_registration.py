"""Registration, and how often it may be tried."""

import threading

from django.db import connection
from django.test import Client, RequestFactory, TransactionTestCase, override_settings

from community import throttle
from community.models import RegistrationAttempt

from .test_pages import PageCase


class Registration(PageCase):
    form = {"username": "vera", "name": "Вера", "email": "vera@example.org", "password": "a long phrase"}

    def test_the_person_is_created_with_the_least_role_and_sent_to_sign_in(self):
        answer = Client().post("/register/", {**self.form, "role": "owner"})
        self.assertRedirects(answer, "/oidc/login/", fetch_redirect_response=False)
        expected = {**self.form, "role": "user", "locale": "ru"}
        self.assertEqual(self.provider.people["vera-sub"], expected)

    def test_a_refused_value_is_said_in_the_persons_language_and_the_password_is_not_shown_again(self):
        refusal = {"error": "invalid_request", "errors": [{"field": "password", "message": "is easily guessed"}]}
        self.provider.instead[("POST", "/api/v1/users")] = (400, refusal)
        answer = Client(headers={"accept-language": "ru"}).post("/register/", self.form)
        self.assertContains(answer, "легко угадать", status_code=422)
        self.assertNotContains(answer, "a long phrase", status_code=422)
        self.assertContains(answer, 'value="vera@example.org"', status_code=422)

    def test_a_taken_name_is_said_and_changes_nobody(self):
        before = dict(self.provider.people["anna-sub"])
        answer = Client(headers={"accept-language": "en"}).post("/register/", {**self.form, "username": "anna"})
        self.assertContains(answer, "taken", status_code=422)
        self.assertEqual(self.provider.people["anna-sub"], before)

    def test_incomplete_forms_ask_nobody(self):
        for name in self.form:
            answer = Client().post("/register/", {**self.form, name: ""})
            self.assertContains(answer, f'id="error-{name}"', status_code=422)
        self.assertContains(Client().post("/register/", {**self.form, "email": "x"}), 'id="error-email"', status_code=422)
        self.assertEqual(self.provider.calls, [])

    def test_a_token_that_died_is_replaced_once_and_an_outage_is_a_sentence(self):
        refused = iter([(401, {"error": "invalid_token"})])
        usual = self.provider._users
        self.provider.instead[("POST", "/api/v1/users")] = lambda body, headers: next(refused, None) or usual("POST", "", {}, body, headers)
        self.assertEqual(Client().post("/register/", self.form).status_code, 302)
        self.provider.instead[("POST", "/api/v1/users")] = (500, "<html>")
        answer = Client().post("/register/", {**self.form, "username": "zoe"})
        self.assertContains(answer, 'id="error-form"', status_code=422)


class ThrottledRegistration(PageCase):
    form = Registration.form
    limits = {"REGISTER_PER_ADDRESS": 3, "REGISTER_IN_ALL": 5, "REGISTER_WINDOW": 3600}

    def setUp(self):
        super().setUp()
        self.time.return_value = 1_800_000_000
        limited = override_settings(**self.limits)
        limited.enable()
        self.addCleanup(limited.disable)

    def attempt(self, name="anna", address="192.0.2.1", language="en", **headers):
        browser = Client(REMOTE_ADDR=address, headers={"accept-language": language, **headers})
        return browser.post("/register/", {**self.form, "username": name})

    def test_one_address_has_its_limit_and_waiting_helps(self):
        for name in ("vera", "anna", "boris"):
            self.assertIn(self.attempt(name).status_code, (302, 422))
            self.time.return_value += 60
        asked = len(self.provider.calls)
        refused = self.attempt("zoe")
        self.assertContains(refused, "Too many attempts to register from your address. Try again in 57 min.", status_code=429)
        self.assertEqual(refused.headers["Retry-After"], str(57 * 60))
        self.assertContains(refused, 'value="zoe"', status_code=429)
        self.assertNotContains(refused, self.form["password"], status_code=429)
        self.assertContains(self.attempt("zoe", language="ru"), "С вашего адреса", status_code=429)
        self.assertEqual(len(self.provider.calls), asked, "nobody is asked")
        # Another address has nothing to do with it.
        self.assertEqual(self.attempt("zoe", "192.0.2.2").status_code, 302)
        # What was refused does not count: after exactly the time told there is room for one.
        self.time.return_value += int(refused.headers["Retry-After"])
        self.assertEqual(self.attempt("ivan").status_code, 302)
        self.assertEqual(self.attempt("pavel").status_code, 429)

    def test_all_together_have_their_limit(self):
        for last in range(5):
            self.assertEqual(self.attempt(f"guest{last}", f"192.0.2.{last}").status_code, 302)
        refused = self.attempt("zoe", "192.0.2.77")
        self.assertContains(refused, "Too many people", status_code=429)
        self.assertTrue(refused.headers["Retry-After"].isdigit())
        self.assertNotIn("zoe-sub", self.provider.people)
        self.time.return_value += 3600
        self.assertEqual(self.attempt("zoe", "192.0.2.77").status_code, 302)
        self.assertEqual(RegistrationAttempt.objects.count(), 1, "what no longer counts is forgotten")

    def test_incomplete_forms_do_not_count(self):
        for _ in range(9):
            self.assertEqual(self.attempt("").status_code, 422)
        self.assertEqual(self.attempt("vera").status_code, 302)

    def test_a_forged_header_makes_no_other_address(self):
        for last in range(3):
            self.attempt(address="192.0.2.1", **{"X-Forwarded-For": f"198.51.100.{last}"})
        self.assertEqual(self.attempt(**{"X-Forwarded-For": "198.51.100.9"}).status_code, 429)
        with override_settings(PROXIES=1, REGISTER_IN_ALL=99):
            for last in range(3):
                self.attempt(address="127.0.0.1", **{"X-Forwarded-For": f"198.51.100.{last}, 203.0.113.7"})
            self.assertEqual(self.attempt(address="127.0.0.1", **{"X-Forwarded-For": "198.51.100.9, 203.0.113.7"}).status_code, 429)
            self.assertEqual(self.attempt("zoe", "127.0.0.1", **{"X-Forwarded-For": "203.0.113.7, 198.51.100.9"}).status_code, 302)

    def test_whoever_has_a_network_has_one_address(self):
        request = RequestFactory().get("/")
        seen = {
            "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
            "2001:db8:1:2::9": "2001:db8:1:2::/64",
            "::ffff:192.0.2.1": "192.0.2.1",
            "192.0.2.1": "192.0.2.1",
            "": "",
            "x" * 300: "x" * 64,
        }
        for address, expected in seen.items():
            request.META["REMOTE_ADDR"] = address
            self.assertEqual(throttle.address_of(request), expected)


class ParallelRegistration(TransactionTestCase):
    def test_parallel_attempts_do_not_slip_through_together(self):
        def attempt(results):
            try:
                throttle.count_attempt(RequestFactory().post("/register/"))
                results.append("counted")
            except throttle.TooMany:
                results.append("refused")
            finally:
                connection.close()

        results = []
        with override_settings(REGISTER_PER_ADDRESS=2):
            threads = [threading.Thread(target=attempt, args=(results,)) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(sorted(results), ["counted"] * 2 + ["refused"] * 4)
