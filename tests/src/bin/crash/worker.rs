//! One source of load, with its own people, sessions and grants; and the check of what is left of them.

use crate::journal::{Chain, CodeFate, Fate, Journal, Person, SignedIn, Tokens};
use crate::place::{CALLBACK, CLIENT, Place};
use crate::random_below;
use propusk_tests::browser::Browser;
use propusk_tests::connection::Connection;
use propusk_tests::http::{Request, Response, form_encode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) struct Worker {
    place: Arc<Place>,
    number: usize,
    journal: Journal,
    connection: Option<Connection>,
    /// Checks of the last round.
    pub checks: usize,
}

/// The server has gone away before it answered.
struct Unanswered;

type Answered<T> = Result<T, Unanswered>;

impl Worker {
    pub(crate) fn new(place: Arc<Place>, number: usize) -> Self {
        let mut worker = Self { place, number, journal: Journal::default(), connection: None, checks: 0 };
        worker.add_person();
        worker
    }

    /// Works until the server is gone.
    pub(crate) fn load(&mut self, stop: &AtomicBool, acknowledged: &AtomicU64) {
        while !stop.load(Ordering::Acquire) {
            if self.one().is_err() {
                break;
            }
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        self.connection = None;
    }

    fn one(&mut self) -> Answered<()> {
        match random_below(100) {
            0..55 => self.refresh(),
            55..75 => self.code().and_then(|chain| self.redeem(chain)),
            75..82 => self.code().map(drop),
            82..88 => self.sign_in(),
            88..92 => self.revoke(),
            92..95 => self.replay(),
            95..98 => self.log_out(),
            _ => self.disable(),
        }
    }

    fn add_person(&mut self) -> usize {
        let username = format!("person{}-{}", self.number, self.journal.people.len());
        let password = format!("a long password of {username}");
        self.place.verb(&["user", "add", &username, "--role", "user", "--password-stdin"], Some(&password));
        self.journal.people.push(Person { username, password, disabled: false });
        self.journal.people.len() - 1
    }

    /// Another process disables the newest person once there are several sessions; a new one takes over.
    fn disable(&mut self) -> Answered<()> {
        let person = self.journal.people.len() - 1;
        if !self.journal.sessions.iter().any(|session| session.person == person) {
            return self.sign_in();
        }
        self.place.verb(&["user", "disable", &self.journal.people[person].username], None);
        self.journal.disabled(person);
        self.add_person();
        Ok(())
    }

    fn sign_in(&mut self) -> Answered<()> {
        let person = self.journal.people.len() - 1;
        let browser = self.signed_in_browser(person)?.expect("a sign-in that is not refused");
        self.journal.sessions.push(SignedIn { browser, person, fate: Fate::Live });
        Ok(())
    }

    /// `None` when the name or the password was refused.
    fn signed_in_browser(&self, person: usize) -> Answered<Option<Browser>> {
        let person = &self.journal.people[person];
        let mut browser = Browser::new().stop_at(CALLBACK);
        let page = browser.visit(&self.authorize_url("")).map_err(|_| Unanswered)?;
        assert_eq!(page.status(), 200, "the sign-in page: {}", page.trace());
        let landing = browser.sign_in(&person.username, &person.password).map_err(|_| Unanswered)?;
        browser.history.clear();
        if landing.param("code").is_some() {
            return Ok(Some(browser));
        }
        assert_eq!(landing.status(), 403, "a sign-in: {}\n{}", landing.trace(), landing.html());
        Ok(None)
    }

    fn authorize_url(&self, more: &str) -> String {
        let query = form_encode(&[("client_id", CLIENT), ("redirect_uri", CALLBACK), ("response_type", "code"), ("state", "s")]);
        self.place.url(&format!("/oauth/authorize?{query}&scope=openid+offline_access{more}"))
    }

    fn live_session(&self) -> Option<usize> {
        let live: Vec<usize> = (0..self.journal.sessions.len()).filter(|index| self.journal.sessions[*index].fate == Fate::Live).collect();
        pick(&live)
    }

    /// A code by an existing session; its chain.
    fn code(&mut self) -> Answered<usize> {
        let session = if let Some(session) = self.live_session() {
            session
        } else {
            self.sign_in()?;
            self.journal.sessions.len() - 1
        };
        let offline = random_below(3) > 0;
        let url = self.authorize_url("&prompt=none");
        let url = if offline { url } else { url.replace("+offline_access", "") };
        let signed_in = &mut self.journal.sessions[session];
        let landing = signed_in.browser.visit(&url).map_err(|_| Unanswered)?;
        signed_in.browser.history.clear();
        let code = landing.param("code").unwrap_or_else(|| panic!("no code for a live session: {}\n{}", landing.trace(), landing.html()));
        let chain = Chain { person: signed_in.person, session, offline, code, code_fate: CodeFate::Fresh, tokens: None, fate: Fate::Live };
        self.journal.chains.push(chain);
        Ok(self.journal.chains.len() - 1)
    }

    fn redeem(&mut self, chain: usize) -> Answered<()> {
        self.journal.chains[chain].code_fate = CodeFate::Perhaps;
        let response = self.present(chain)?;
        assert_eq!(response.status, 200, "a fresh code: {}", response.text());
        self.redeemed(chain, &response);
        Ok(())
    }

    fn redeemed(&mut self, chain: usize, response: &Response) {
        let json = response.json();
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let chain = &mut self.journal.chains[chain];
        chain.code_fate = CodeFate::Redeemed;
        chain.tokens =
            Some(Tokens { access: text("access_token").expect("a token"), id: text("id_token").expect("a token"), refresh: text("refresh_token") });
        assert_eq!(chain.offline, json["refresh_token"].is_string());
    }

    fn present(&mut self, chain: usize) -> Answered<Response> {
        let code = self.journal.chains[chain].code.clone();
        self.token(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)])
    }

    fn token(&mut self, pairs: &[(&str, &str)]) -> Answered<Response> {
        let request = Request::post(&self.place.url("/oauth/token")).post_form(pairs).basic(CLIENT, &self.place.secret);
        self.send(&request)
    }

    fn send(&mut self, request: &Request) -> Answered<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&request.url).map_err(|_| Unanswered)?,
        };
        let response = connection.send(request).map_err(|_| Unanswered)?;
        self.connection = Some(connection);
        Ok(response)
    }

    fn live_chain(&self, wanted: impl Fn(&Chain) -> bool) -> Option<usize> {
        let live: Vec<usize> = (0..self.journal.chains.len())
            .filter(|index| self.journal.chains[*index].fate == Fate::Live && wanted(&self.journal.chains[*index]))
            .collect();
        pick(&live)
    }

    fn with_refresh(&self) -> Option<usize> {
        self.live_chain(|chain| chain.tokens.as_ref().is_some_and(|tokens| tokens.refresh.is_some()))
    }

    fn refresh(&mut self) -> Answered<()> {
        let Some(chain) = self.with_refresh() else {
            let chain = self.code()?;
            return self.redeem(chain);
        };
        let response = self.send_refresh(chain)?;
        assert_eq!(response.status, 200, "a live refresh token: {}", response.text());
        self.refreshed(chain, &response);
        Ok(())
    }

    fn send_refresh(&mut self, chain: usize) -> Answered<Response> {
        let refresh = self.journal.chains[chain].tokens.as_ref().and_then(|tokens| tokens.refresh.clone()).expect("a refresh token");
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)])
    }

    fn refreshed(&mut self, chain: usize, response: &Response) {
        let json = response.json();
        let tokens = self.journal.chains[chain].tokens.as_mut().expect("tokens");
        json["access_token"].as_str().expect("a token").clone_into(&mut tokens.access);
        tokens.refresh = json["refresh_token"].as_str().map(str::to_owned);
    }

    fn revoke(&mut self) -> Answered<()> {
        let Some(chain) = self.with_refresh() else { return Ok(()) };
        let refresh = self.journal.chains[chain].tokens.as_ref().and_then(|tokens| tokens.refresh.clone()).expect("a refresh token");
        self.journal.chains[chain].fate = Fate::Perhaps;
        let request = Request::post(&self.place.url("/oauth/revoke")).post_form(&[("token", &refresh)]).basic(CLIENT, &self.place.secret);
        let response = self.send(&request)?;
        assert_eq!(response.status, 200, "a revocation: {}", response.text());
        self.journal.chains[chain].fate = Fate::Gone;
        Ok(())
    }

    /// A code comes again: refused, and everything that hangs on it ends.
    fn replay(&mut self) -> Answered<()> {
        let Some(chain) = self.live_chain(|chain| chain.code_fate == CodeFate::Redeemed) else { return Ok(()) };
        self.journal.chains[chain].fate = Fate::Perhaps;
        let response = self.present(chain)?;
        assert_eq!(response.status, 400, "a code worked twice: {}", response.text());
        self.journal.chains[chain].fate = Fate::Gone;
        Ok(())
    }

    fn log_out(&mut self) -> Answered<()> {
        let Some(chain) = self.live_chain(|chain| chain.tokens.is_some()) else { return Ok(()) };
        let session = self.journal.chains[chain].session;
        if self.journal.sessions[session].fate != Fate::Live {
            return Ok(());
        }
        let hint = self.journal.chains[chain].tokens.as_ref().expect("tokens").id.clone();
        self.journal.ended(session, Fate::Perhaps);
        let browser = &mut self.journal.sessions[session].browser;
        // The cookies stay in a copy: what has ended must have ended on the server.
        let mut leaving = browser.clone();
        let landing = leaving.visit(&self.place.url(&format!("/oauth/logout?id_token_hint={hint}"))).map_err(|_| Unanswered)?;
        assert!(landing.status() == 200 && landing.url.ends_with("/logged-out"), "a logout: {}\n{}", landing.trace(), landing.html());
        self.journal.ended(session, Fate::Gone);
        Ok(())
    }

    /// Holds the journal against the server that was started again; what is wrong.
    pub(crate) fn check(&mut self) -> Vec<String> {
        self.connection = None;
        self.checks = 0;
        let mut problems = Vec::new();
        for session in self.journal.sessions_to_check() {
            self.check_session(session, &mut problems);
        }
        for chain in 0..self.journal.chains.len() {
            self.check_chain(chain, &mut problems);
        }
        let disabled = (0..self.journal.people.len()).rev().find(|person| self.journal.people[*person].disabled);
        if let Some(person) = disabled {
            self.checks += 1;
            match self.signed_in_browser(person) {
                Ok(None) => {}
                Ok(Some(_)) => problems.push(format!("{} was disabled and signs in", self.journal.people[person].username)),
                Err(Unanswered) => problems.push("a sign-in is not answered".to_owned()),
            }
        }
        self.journal.forget_some();
        problems
    }

    fn check_session(&mut self, session: usize, problems: &mut Vec<String>) {
        self.checks += 1;
        let url = self.authorize_url("&prompt=none");
        let signed_in = &mut self.journal.sessions[session];
        let Ok(landing) = signed_in.browser.visit(&url) else {
            problems.push("an authorization request is not answered".to_owned());
            return;
        };
        signed_in.browser.history.clear();
        let lives = landing.param("code").is_some();
        if !lives && landing.param("error").as_deref() != Some("login_required") {
            problems.push(format!("a session is neither alive nor ended: {}", landing.trace()));
        }
        match (signed_in.fate, lives) {
            (Fate::Live, false) => problems.push("an acknowledged session is gone".to_owned()),
            (Fate::Gone, true) => problems.push("an ended session lives again".to_owned()),
            (Fate::Live | Fate::Perhaps, true) | (Fate::Gone | Fate::Perhaps, false) => {}
        }
        // What was seen is what holds from now on, also after a problem: it is told once.
        if lives {
            // Its chains are looked at by themselves: the end of one may have been asked for by other means.
            self.journal.sessions[session].fate = Fate::Live;
        } else if self.journal.sessions[session].fate != Fate::Gone {
            self.journal.ended(session, Fate::Gone);
        }
    }

    fn check_chain(&mut self, chain: usize, problems: &mut Vec<String>) {
        self.checks += 1;
        let now = &self.journal.chains[chain];
        let result = match (now.code_fate, &now.tokens) {
            (CodeFate::Redeemed, Some(tokens)) if tokens.refresh.is_some() => self.check_refresh(chain, problems),
            (CodeFate::Redeemed, Some(_)) => self.check_access(chain, problems),
            _ => self.check_code(chain, problems),
        };
        if result.is_err() {
            problems.push("a request is not answered".to_owned());
        }
    }

    fn check_refresh(&mut self, chain: usize, problems: &mut Vec<String>) -> Answered<()> {
        let response = self.send_refresh(chain)?;
        self.judge(chain, &response, "refresh token", problems);
        if response.status == 200 {
            self.refreshed(chain, &response);
        }
        Ok(())
    }

    fn check_access(&mut self, chain: usize, problems: &mut Vec<String>) -> Answered<()> {
        let access = self.journal.chains[chain].tokens.as_ref().expect("tokens").access.clone();
        let response = self.send(&Request::get(&self.place.url("/oauth/userinfo")).bearer(&access))?;
        self.judge(chain, &response, "access token", problems);
        Ok(())
    }

    /// 200 says that the chain lives, a refusal that it does not; either must be what was acknowledged.
    fn judge(&mut self, chain: usize, response: &Response, what: &str, problems: &mut Vec<String>) {
        let lives = response.status == 200;
        if !(lives || response.status == 400 || response.status == 401) {
            problems.push(format!("{what}: {} {}", response.status, response.text()));
        }
        let chain = &mut self.journal.chains[chain];
        match (chain.fate, lives) {
            (Fate::Live, false) => problems.push(format!("an acknowledged {what} does not work: {}", response.text())),
            (Fate::Gone, true) => problems.push(format!("a revoked {what} lives again")),
            (Fate::Perhaps, true) => chain.fate = Fate::Live,
            (_, false) => chain.fate = Fate::Gone,
            (Fate::Live, true) => {}
        }
    }

    /// A code that was never answered works at most once from now on; one that was never presented works, unless its end was asked for.
    fn check_code(&mut self, chain: usize, problems: &mut Vec<String>) -> Answered<()> {
        let (fate, code_fate) = (self.journal.chains[chain].fate, self.journal.chains[chain].code_fate);
        let first = self.present(chain)?;
        match (first.status, fate, code_fate) {
            (200, Fate::Gone, _) => problems.push("a code works although its grant was revoked".to_owned()),
            (400, Fate::Live, CodeFate::Fresh) => problems.push(format!("an acknowledged code does not work: {}", first.text())),
            (200 | 400, ..) => {}
            (status, ..) => problems.push(format!("a code: {status} {}", first.text())),
        }
        if first.status == 200 {
            self.redeemed(chain, &first);
        }
        let second = self.present(chain)?;
        if second.status != 400 {
            problems.push(format!("a code works twice: {} {}", second.status, second.text()));
        }
        let chain = &mut self.journal.chains[chain];
        chain.code_fate = CodeFate::Redeemed;
        chain.fate = Fate::Gone;
        if let Some(tokens) = &chain.tokens {
            let access = tokens.access.clone();
            let response = self.send(&Request::get(&self.place.url("/oauth/userinfo")).bearer(&access))?;
            if response.status != 401 {
                problems.push(format!("a code came twice and its access token lives: {}", response.status));
            }
        }
        Ok(())
    }
}

fn pick(from: &[usize]) -> Option<usize> {
    let index = usize::try_from(random_below(u64::try_from(from.len()).ok()?)).ok()?;
    from.get(index).copied()
}
