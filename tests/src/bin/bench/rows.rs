//! What is measured.

use crate::Options;
use crate::floors::{Hello, argon2, commits, signatures};
use crate::load::{CONNECTIONS, Caller, Rate, Work, drive, wrk};
use crate::people::{CALLBACK, PASSWORD, SECRET, codes, refresh_tokens};
use crate::place::Place;
use crate::report::{Floor, Report};
use propusk_crypto::Algorithm;
use propusk_tests::http::{Request, Response, form_encode};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often a row and its floor alternate.
const ALTERNATIONS: usize = 2;

struct Bench<'a> {
    options: &'a Options,
    place: &'a Place,
    hello: &'a Hello,
    report: &'a mut Report,
    prefix: &'a str,
}

/// Every row on SQLite.
pub(crate) fn all(options: &Options, place: &mut Place, hello: &Hello, report: &mut Report, prefix: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let bare_url = format!("sqlite:{}/bare.db", directory.path().display());
    let mut bench = Bench { options, place, hello, report, prefix };
    bench.documents();
    for algorithm in Algorithm::ALL {
        bench.client_credentials(algorithm);
    }
    for algorithm in Algorithm::ALL {
        bench.resource(algorithm);
    }
    bench.durable(&bare_url, hello);
    bench.login();
}

/// The rows that another database changes.
pub(crate) fn on_postgres(options: &Options, place: &mut Place, hello: &Hello, report: &mut Report) {
    let database = propusk_tests::postgres::TemporaryDatabase::create();
    let mut bench = Bench { options, place, hello, report, prefix: "PostgreSQL and Redis: " };
    bench.client_credentials(Algorithm::ES256);
    bench.resource(Algorithm::RS256);
    let of_the_floor = propusk_tests::postgres::TemporaryDatabase::create();
    bench.durable(&database.url, &Hello::start(&of_the_floor.url));
    bench.login();
}

impl Bench<'_> {
    fn wants(&self, name: &str) -> bool {
        self.options.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    /// The targets are for SQLite, which is the default; the other rows stand beside for information.
    fn row(&mut self, name: &str, rate: Rate, floor: Option<Floor>, target: &'static str) {
        let target = if self.prefix.is_empty() { target } else { "" };
        self.report.row(&format!("{}{name}", self.prefix), rate, floor, target);
    }

    /// A row and its floor by turns, so that a neighbour's noise meets both.
    fn beside(&mut self, name: &str, requests: &[Request], floor: (&'static str, &Request), least: f64, target: &'static str) {
        if !self.wants(name) {
            return;
        }
        let (mut rows, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..ALTERNATIONS {
            floors.push(wrk(&self.hello.process, &self.hello.url, std::slice::from_ref(floor.1), self.options.slice));
            rows.push(wrk(&self.place.server, &self.place.issuer, requests, self.options.slice));
        }
        let floor = Floor { name: floor.0, rate: Rate::mean(&floors), least };
        self.row(name, Rate::mean(&rows), Some(floor), target);
    }

    fn documents(&mut self) {
        let hello = Request::get(&format!("{}/hello", self.hello.url));
        for (name, path) in [("discovery", "/.well-known/openid-configuration"), ("JWKS", "/oauth/jwks")] {
            let request = Request::get(&self.place.url(path));
            self.beside(name, &[request], ("hello", &hello), 0.6, "≥ 60 % of hello");
        }
    }

    fn client_credentials(&mut self, algorithm: Algorithm) {
        let name = format!("client credentials, {algorithm}");
        if !self.wants(&name) {
            return;
        }
        let form = [("grant_type", "client_credentials")];
        let request = Request::post(&self.place.url("/oauth/token")).post_form(&form).basic(&format!("service-{algorithm}"), SECRET);
        let floor = Request::post(&format!("{}/sign/{algorithm}", self.hello.url)).post_form(&form);
        let (least, target) = if algorithm == Algorithm::RS256 { (0.9, "≥ 90 % of the floor") } else { (0.6, "≥ 60 % of the floor") };
        self.beside(&name, &[request], ("form in, signed token out", &floor), least, target);
        let bare = signatures(algorithm, Duration::from_secs(1));
        self.row(&format!("(bare signatures, {algorithm})"), bare, None, "");
    }

    /// Userinfo and introspection, with the tokens of many people.
    fn resource(&mut self, algorithm: Algorithm) {
        let names = [format!("userinfo, {algorithm} tokens"), format!("introspection, {algorithm} tokens")];
        if !names.iter().any(|name| self.wants(name)) {
            return;
        }
        let client = format!("site-{algorithm}");
        let mut caller = Caller::new(&self.place.issuer);
        let tokens: Vec<String> = codes(&self.place.instance, &self.place.people, &client, true, self.place.people.len())
            .iter()
            .map(|code| {
                let response = caller.send(&self.exchange(&client, code)).expect("an answer");
                response.json()["access_token"].as_str().unwrap_or_else(|| panic!("no token: {}", response.text())).to_owned()
            })
            .collect();
        let target = if algorithm == Algorithm::RS256 { "≥ 25,000/s or ≤ 40 µs" } else { "" };
        let userinfo: Vec<Request> = tokens.iter().map(|token| Request::get(&self.place.url("/oauth/userinfo")).bearer(token)).collect();
        self.alone(&names[0], &userinfo, target);
        let introspection: Vec<Request> = tokens
            .iter()
            .map(|token| Request::post(&self.place.url("/oauth/introspect")).post_form(&[("token", token)]).basic("api-RS256", SECRET))
            .collect();
        self.alone(&names[1], &introspection, target);
    }

    fn alone(&mut self, name: &str, requests: &[Request], target: &'static str) {
        if self.wants(name) {
            let slices: Vec<Rate> = (0..ALTERNATIONS).map(|_| wrk(&self.place.server, &self.place.issuer, requests, self.options.slice)).collect();
            self.row(name, Rate::mean(&slices), None, target);
        }
    }

    fn exchange(&self, client: &str, code: &str) -> Request {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        Request::post(&self.place.url("/oauth/token")).post_form(&form).basic(client, SECRET)
    }

    /// What commits before it answers. The floor does by HTTP what any such answer needs: a form in, a look-up and a row in a group
    /// commit, a signed token out. Beside it stands what is left without HTTP.
    fn durable(&mut self, bare_url: &str, floor: &Hello) {
        let names = ["refresh with rotation", "code exchange", "code flow"];
        if !names.iter().any(|name| self.wants(name)) {
            return;
        }
        let (mut bare, mut floors) = (Vec::new(), Vec::new());
        let mut rows: [Vec<Rate>; 3] = Default::default();
        for _ in 0..ALTERNATIONS {
            bare.push(commits(bare_url, CONNECTIONS, self.options.slice));
            floors.push(self.commits_by_http(floor));
            rows[0].push(self.refreshes());
            rows[1].push(self.exchanges());
            rows[2].push(self.flows());
        }
        self.row("(bare commits without HTTP, an ES256 signature each)", Rate::mean(&bare), None, "");
        let rate = Rate::mean(&floors);
        let of = |least| Some(Floor { name: "form in, row committed, ES256 token out", rate, least });
        self.row(names[0], Rate::mean(&rows[0]), of(0.6), "≥ 60 % of the floor");
        self.row(names[1], Rate::mean(&rows[1]), of(0.6), "≥ 60 % of the floor");
        self.row(names[2], Rate::mean(&rows[2]), None, "≥ 1,500/s");
    }

    fn commits_by_http(&self, floor: &Hello) -> Rate {
        let request = Request::post(&format!("{}/commit", floor.url)).post_form(&[("grant_type", "refresh_token")]);
        let works = (0..CONNECTIONS).map(|_| {
            let (mut caller, request) = (Caller::new(&floor.url), request.clone());
            let work: Work = Box::new(move || Some(caller.send(&request).is_some_and(|response| response.status == 200)));
            work
        });
        drive(Some(&floor.process), works.collect(), self.options.slice)
    }

    fn refreshes(&self) -> Rate {
        let client = "site-ES256";
        let tokens = if self.place.preloaded.is_empty() {
            refresh_tokens(&self.place.instance, &self.place.people, client, CONNECTIONS * 64)
        } else {
            // Each token works once: a measurement takes the next share of them.
            let from = self.place.used.fetch_add(CONNECTIONS * 64, Ordering::Relaxed);
            let share = self.place.preloaded.get(from..from + CONNECTIONS * 64).expect("as many tokens as measurements need");
            share.to_vec()
        };
        let url = self.place.url("/oauth/token");
        let works = shares(tokens).map(|tokens| {
            let mut tokens: VecDeque<String> = tokens.into();
            let (mut caller, url) = (Caller::new(&self.place.issuer), url.clone());
            let work: Work = Box::new(move || {
                let token = tokens.pop_front()?;
                let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", "profile")];
                let response = caller.send(&Request::post(&url).post_form(&form).basic(client, SECRET))?;
                let next = (response.status == 200).then(|| response.json()["refresh_token"].as_str().map(str::to_owned)).flatten();
                let good = next.is_some();
                tokens.extend(next);
                Some(good)
            });
            work
        });
        drive(Some(&self.place.server), works.collect(), self.options.slice)
    }

    /// Codes that the server has issued to people with a session, exchanged afterwards.
    fn exchanges(&self) -> Rate {
        let client = "site-ES256";
        // No more than the server remembers.
        let count = 4096 / CONNECTIONS;
        let authorize = self.authorize_url("profile offline_access");
        let mut slices = Vec::new();
        let began = Instant::now();
        while began.elapsed() < self.options.slice * 4 && slices.len() < 16 {
            let works = shares(self.place.people.clone()).map(|people| {
                let mut caller = Caller::new(&self.place.issuer);
                let mut requests: VecDeque<Request> = (0..count)
                    .map(|number| {
                        let cookie = format!("propusk_session={}", people[number % people.len()].cookie);
                        let answer = caller.send(&Request::get(&authorize).header("Cookie", cookie)).expect("an answer");
                        self.exchange(client, &answer.location_param("code").expect("a code"))
                    })
                    .collect();
                let work: Work = Box::new(move || {
                    let response = caller.send(&requests.pop_front()?);
                    Some(response.is_some_and(|response| response.status == 200))
                });
                work
            });
            slices.push(drive(Some(&self.place.server), works.collect(), self.options.slice));
        }
        Rate::mean(&slices)
    }

    fn authorize_url(&self, scope: &str) -> String {
        let query =
            form_encode(&[("client_id", "site-ES256"), ("redirect_uri", CALLBACK), ("response_type", "code"), ("scope", scope), ("state", "s")]);
        self.place.url(&format!("/oauth/authorize?{query}"))
    }

    /// Authorization with a session at hand, then the exchange: two requests, two commits, one RS256 and one ES256 signature.
    fn flows(&self) -> Rate {
        let client = "site-ES256";
        let authorize = self.authorize_url("openid profile");
        let works = shares(self.place.people.clone()).map(|people| {
            let requests: Vec<Request> =
                people.iter().map(|person| Request::get(&authorize).header("Cookie", format!("propusk_session={}", person.cookie))).collect();
            let (mut caller, mut at, token) = (Caller::new(&self.place.issuer), 0, self.place.url("/oauth/token"));
            let work: Work = Box::new(move || {
                at = (at + 1) % requests.len();
                let code = caller.send(&requests[at])?.location_param("code")?;
                let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK)];
                let response = caller.send(&Request::post(&token).post_form(&form).basic(client, SECRET))?;
                Some(response.status == 200)
            });
            work
        });
        drive(Some(&self.place.server), works.collect(), self.options.slice)
    }

    /// Sixteen people sign in again and again, while somebody reads discovery two hundred times a second.
    fn login(&mut self) {
        let name = "password login";
        if !self.wants(name) {
            return;
        }
        let time = self.options.slice * 2;
        let mut slices = Vec::new();
        let mut floors = Vec::new();
        let waits = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..ALTERNATIONS {
            floors.push(argon2(time));
            slices.push(self.logins(time, &waits));
        }
        self.row("(bare Argon2 verifications)", Rate::mean(&floors), None, "");
        let floor = Floor { name: "Argon2", rate: Rate::mean(&floors), least: 0.9 };
        self.row(name, Rate::mean(&slices), Some(floor), "≥ 90 % of the floor");
        let mut waits = std::mem::take(&mut *waits.lock().expect("a lock"));
        waits.sort_unstable_by(f64::total_cmp);
        let at = |part: f64| waits.get((waits.len() as f64 * part) as usize).copied().unwrap_or_default();
        let probe = Rate { per_second: 200.0, p50_ms: at(0.5), p99_ms: at(0.99), ..Rate::default() };
        self.row("discovery while people sign in", probe, None, "p99 < 20 ms");
    }

    fn logins(&self, time: Duration, waits: &Arc<Mutex<Vec<f64>>>) -> Rate {
        let mut works: Vec<Work> = Vec::new();
        for person in self.place.people.iter().take(16) {
            let mut caller = Caller::new(&self.place.issuer);
            let request = self.login_form(&mut caller, &person.user.username);
            works.push(Box::new(move || Some(caller.send(&request).is_some_and(|response| response.status == 303))));
        }
        let probe = Request::get(&self.place.url("/.well-known/openid-configuration"));
        let (mut caller, waits) = (Caller::new(&self.place.issuer), Arc::clone(waits));
        let until = Instant::now() + time;
        let prober = std::thread::spawn(move || {
            while Instant::now() < until {
                let began = Instant::now();
                let answered = caller.send(&probe).is_some_and(|response| response.status == 200);
                assert!(answered, "discovery while people sign in");
                waits.lock().expect("a lock").push(began.elapsed().as_secs_f64() * 1e3);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let rate = drive(Some(&self.place.server), works, time);
        prober.join().expect("the prober");
        rate
    }

    /// The POST that a browser would send from the sign-in page.
    fn login_form(&self, caller: &mut Caller, username: &str) -> Request {
        let mut browser = propusk_tests::browser::Browser::new().stop_at(CALLBACK);
        let query = form_encode(&[("client_id", "site-ES256"), ("redirect_uri", CALLBACK), ("response_type", "code"), ("scope", "openid")]);
        browser.visit(&self.place.url(&format!("/oauth/authorize?{query}"))).expect("the sign-in page");
        let landing = browser.sign_in(username, PASSWORD).expect("a sign-in");
        assert!(landing.param("code").is_some(), "a sign-in: {}", landing.trace());
        let hop = landing.hops.first().expect("the form's request");
        let again: Option<Response> = caller.send(&hop.request);
        assert_eq!(again.map(|response| response.status), Some(303), "the same form again");
        hop.request.clone()
    }
}

/// The inputs dealt out to the callers.
fn shares<T>(inputs: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut shares: Vec<Vec<T>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    for (index, input) in inputs.into_iter().enumerate() {
        shares[index % CONNECTIONS].push(input);
    }
    shares.into_iter()
}
