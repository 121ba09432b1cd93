//! The trace of sign-ins: each step over real HTTP, each diagnosis by the very thing that goes wrong, and nothing secret in it.

mod logout;

use propusk_domain::admin::users;
use propusk_domain::client::Preset;
use propusk_domain::trace::diagnosis::Finding;
use propusk_domain::trace::{FlowFilter, Trace, list};
use propusk_tests::browser::Browser;
use propusk_tests::html::text_of;
use propusk_tests::http::Request;
use propusk_tests::server::{Backend, Person, Registered, TestServer};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

propusk_tests::on_each_backend![
    a_sign_in_leaves_every_step,
    a_page_that_nobody_finishes_is_diagnosed,
    a_refused_sign_in_is_diagnosed_with_its_reference,
    a_consent_is_a_step,
    a_code_that_nobody_redeems_is_diagnosed,
    a_wrong_path_of_the_chat_is_noticed,
    a_refused_token_request_is_diagnosed,
    a_missing_or_refused_userinfo_request_is_diagnosed,
    a_loop_is_diagnosed,
    steps_of_two_replicas_come_together,
    a_client_of_its_own_leaves_no_step,
    the_trace_holds_no_secret,
    the_command_line_shows_the_trace_as_documented,
    the_tail_shows_steps_as_they_come,
    the_tail_speaks_json_a_line_at_a_time,
];

/// A server, a chat and a person.
struct Scene {
    server: TestServer,
    chat: Registered,
    anna: Person,
}

impl Scene {
    fn new(backend: Backend) -> Self {
        let server = TestServer::start(backend);
        let chat = server.add_client("chat", Preset::RocketChat);
        let anna = server.add_user("anna", "user");
        Self { server, chat, anna }
    }

    /// The newest flow, once there are `count` and it has `steps` steps; the server writes them a moment later.
    fn flow(&self, count: usize, steps: usize) -> Trace {
        let began = Instant::now();
        loop {
            let mut found = flows(&self.server);
            if found.len() >= count && found.first().is_some_and(|flow| flow.steps.len() >= steps) {
                return found.remove(0);
            }
            assert!(began.elapsed() < Duration::from_secs(30), "not {count} flows, or no {steps} steps: {found:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A code for anna, and the browser that she is signed in with.
    fn code(&self) -> (Browser, String) {
        let (browser, landing) = self.server.sign_in(&self.chat, &self.anna, &[]);
        (browser, landing.param("code").unwrap_or_else(|| panic!("{}", landing.trace())))
    }

    fn access_token(&self) -> String {
        let response = self.server.redeem(&self.chat, &self.code().1, &[]);
        response.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", response.text())).to_owned()
    }
}

pub(crate) fn flows(server: &TestServer) -> Vec<Trace> {
    let filter = FlowFilter { limit: 100, ..FlowFilter::default() };
    server.look(|cx| Ok(list(cx.store, &filter, cx.now)?))
}

pub(crate) fn shown(flow: &Trace) -> Vec<(&'static str, &str)> {
    flow.steps.iter().map(|step| (step.step.as_str(), step.verdict.as_str())).collect()
}

const UP_TO_CODE: [(&str, &str); 4] = [("authorize", "ok"), ("page_shown", "ok"), ("signed_in", "ok"), ("code_issued", "ok")];

fn a_sign_in_leaves_every_step(backend: Backend) {
    let scene = Scene::new(backend);
    let token = scene.access_token();
    for _ in 0..3 {
        assert_eq!(scene.server.userinfo(&token).status, 200);
    }
    let flow = scene.flow(1, 6);
    let expected: Vec<_> = UP_TO_CODE.into_iter().chain([("token_asked", "ok"), ("userinfo_asked", "ok")]).collect();
    assert_eq!(shown(&flow), expected, "userinfo is recorded once");
    assert_eq!((flow.client_id.as_str(), flow.username.as_deref(), flow.diagnosis.finding), ("chat", Some("anna"), Finding::Complete));
    assert!(flow.steps.iter().all(|step| step.reference.is_none()));
    // The second time the session answers at once: another flow, without a page.
    scene.server.advance(1);
    let (mut browser, _) = scene.code();
    scene.server.advance(1);
    let landing = browser.visit(&scene.server.authorize_url(&scene.chat, &[])).unwrap();
    assert!(landing.param("code").is_some(), "{}", landing.trace());
    let flow = scene.flow(3, 2);
    assert_eq!((shown(&flow), flow.username.as_deref()), (vec![("authorize", "ok"), ("code_issued", "ok")], Some("anna")));
    assert!(scene.server.metrics_text().contains("propusk_trace_steps_not_recorded 0"));
}

fn a_page_that_nobody_finishes_is_diagnosed(backend: Backend) {
    let scene = Scene::new(backend);
    let url = scene.server.authorize_url(&scene.chat, &[]);
    // A program that does not follow the redirect.
    assert_eq!(Request::get(&url).send().unwrap().status, 303);
    assert_eq!(scene.flow(1, 1).diagnosis.finding, Finding::InProgress);
    scene.server.advance(60);
    assert_eq!(scene.flow(1, 1).diagnosis.finding, Finding::PageNeverShown);
    let mut browser = Browser::new().stop_at(scene.chat.redirect_uri());
    browser.visit(&url).unwrap();
    assert_eq!(scene.flow(2, 2).diagnosis.finding, Finding::InProgress);
    scene.server.advance(301);
    let flow = scene.flow(1, 2);
    assert_eq!((shown(&flow), flow.diagnosis.finding), (UP_TO_CODE[..2].to_vec(), Finding::PageAbandoned));
    // The person comes back after all, and the chat has forgotten the sign-in.
    assert!(browser.sign_in("anna", &scene.anna.password).unwrap().param("code").is_some());
    assert_eq!(shown(&scene.flow(1, 4)), UP_TO_CODE);
    scene.server.advance(60);
    assert_eq!(scene.flow(1, 4).diagnosis.finding, Finding::ChatSessionDead);
}

fn a_refused_sign_in_is_diagnosed_with_its_reference(backend: Backend) {
    let scene = Scene::new(backend);
    let server = &scene.server;
    let mut browser = Browser::new().stop_at(scene.chat.redirect_uri());
    let landing = browser.visit(&server.authorize_url(&scene.chat, &[("redirect_uri", "https://elsewhere.example/cb")])).unwrap();
    let flow = scene.flow(1, 1);
    assert_eq!((shown(&flow), flow.diagnosis.finding), (vec![("authorize", "redirect_uri_mismatch")], Finding::AuthorizeRefused));
    assert_eq!(flow.steps[0].reference, text_of(&landing.html(), "error-reference"), "the reference that the person saw");

    server.advance(1);
    browser.visit(&server.authorize_url(&scene.chat, &[("scope", "openid unheard-of")])).unwrap();
    let flow = scene.flow(2, 1);
    assert_eq!((shown(&flow), flow.diagnosis.finding), (vec![("authorize", "scope_not_allowed")], Finding::AuthorizeRefused));

    server.advance(1);
    browser.visit(&server.authorize_url(&scene.chat, &[])).unwrap();
    browser.sign_in("anna", "a wrong password").unwrap();
    let flow = scene.flow(3, 3);
    assert_eq!((flow.steps[2].verdict.as_str(), flow.diagnosis.finding), ("wrong_password", Finding::SignInRefused));
    assert!(server.explain(flow.diagnosis.reference.as_deref().unwrap()).endpoint == "login");
    browser.press("login-cancel").unwrap();
    let flow = scene.flow(3, 4);
    assert_eq!((flow.steps[3].verdict.as_str(), flow.diagnosis.finding), ("access_denied", Finding::Declined));

    server.advance(1);
    browser.visit(&server.authorize_url(&scene.chat, &[])).unwrap();
    browser.jar.clear();
    browser.sign_in("anna", &scene.anna.password).unwrap();
    // The flow begins again, under the same identifier.
    let flow = scene.flow(4, 4);
    assert_eq!(shown(&flow)[1..], [("page_shown", "ok"), ("signed_in", "lost_cookie"), ("page_shown", "ok")]);
    assert!(browser.sign_in("anna", &scene.anna.password).unwrap().param("code").is_some());
    assert_eq!(shown(&scene.flow(4, 6))[4..], UP_TO_CODE[2..]);
}

fn a_consent_is_a_step(backend: Backend) {
    let scene = Scene::new(backend);
    let site = scene.server.add_client("site", Preset::Web);
    let (mut browser, _) = scene.server.sign_in(&site, &scene.anna, &[]);
    let flow = scene.flow(1, 4);
    assert_eq!(shown(&flow)[2..], [("signed_in", "ok"), ("page_shown", "ok")]);
    assert_eq!(flow.diagnosis.finding, Finding::InProgress);
    scene.server.advance(301);
    assert_eq!(scene.flow(1, 4).diagnosis.finding, Finding::ConsentAbandoned);
    browser.press("consent-deny").unwrap();
    let flow = scene.flow(1, 5);
    assert_eq!((flow.steps[4].verdict.as_str(), flow.diagnosis.finding), ("access_denied", Finding::Declined));
    scene.server.advance(1);
    browser.visit(&scene.server.authorize_url(&site, &[])).unwrap();
    let code = browser.press("consent-allow").unwrap().param("code").unwrap();
    assert_eq!(scene.server.redeem(&site, &code, &[]).status, 200);
    let flow = scene.flow(2, 5);
    assert_eq!(shown(&flow), [("authorize", "ok"), ("page_shown", "ok"), ("consent", "ok"), ("code_issued", "ok"), ("token_asked", "ok")]);
    assert_eq!(flow.diagnosis.finding, Finding::Complete, "a client that reads the ID token asks for nothing more");
}

fn a_code_that_nobody_redeems_is_diagnosed(backend: Backend) {
    let scene = Scene::new(backend);
    scene.code();
    let flow = scene.flow(1, 4);
    assert_eq!((shown(&flow), flow.diagnosis.finding), (UP_TO_CODE.to_vec(), Finding::InProgress));
    scene.server.advance(60);
    assert_eq!(scene.flow(1, 4).diagnosis.finding, Finding::NoTokenRequest);
}

fn a_wrong_path_of_the_chat_is_noticed(backend: Backend) {
    let scene = Scene::new(backend);
    let (_, code) = scene.code();
    scene.flow(1, 4);
    let asked = Request::post(&scene.server.url("/oauth/tokne")).header("User-Agent", "Meteor/METEOR@3.4").post_form(&[("code", &code)]).send();
    let reference = asked.unwrap().json()["error_reference"].as_str().unwrap().to_owned();
    let record = scene.server.explain(&reference);
    assert!(record.detail.fix.iter().any(|fix| fix.contains("Rocket.Chat asked")), "{record:?}");
    let diagnosis = scene.flow(1, 4).diagnosis;
    assert_eq!((diagnosis.finding, diagnosis.path.as_deref(), diagnosis.reference), (Finding::WrongTokenPath, Some("/oauth/tokne"), Some(reference)));
    // The identity path, after the token was given.
    let tokens = scene.server.redeem(&scene.chat, &code, &[]).json();
    scene.flow(1, 5);
    let request = Request::get(&scene.server.url("/api/user-info")).bearer(tokens["access_token"].as_str().unwrap());
    let reference = request.header("User-Agent", "Node-oauth").send().unwrap().json()["error_reference"].as_str().unwrap().to_owned();
    scene.server.explain(&reference);
    let diagnosis = scene.flow(1, 5).diagnosis;
    assert_eq!((diagnosis.finding, diagnosis.reference), (Finding::WrongIdentityPath, Some(reference)));
}

fn a_refused_token_request_is_diagnosed(backend: Backend) {
    let scene = Scene::new(backend);
    let (_, code) = scene.code();
    let wrong = Registered { secret: "a wrong secret".to_owned(), ..scene.chat.clone() };
    let refused = scene.server.redeem(&wrong, &code, &[]);
    assert_eq!(refused.status, 401);
    let flow = scene.flow(1, 5);
    let last = flow.steps.last().unwrap();
    assert_eq!((last.step.as_str(), last.verdict.as_str()), ("token_asked", "secret_wrong"));
    assert_eq!(last.reference.as_deref(), refused.json()["error_reference"].as_str());
    assert_eq!(flow.diagnosis.finding, Finding::TokenRefused);
    // A client id that does not exist cannot hide which flow the code belongs to.
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("client_id", "nobody"), ("client_secret", "x")];
    Request::post(&scene.server.url("/oauth/token")).post_form(&form).send().unwrap();
    let flow = scene.flow(1, 6);
    assert_eq!((flow.steps[5].verdict.as_str(), flow.steps[5].client_id.as_str()), ("unknown_client", "chat"));
    assert_eq!(scene.server.redeem(&scene.chat, &code, &[]).status, 200);
    assert_eq!(scene.flow(1, 7).diagnosis.finding, Finding::InProgress, "the last word counts");
    assert_eq!(scene.server.redeem(&scene.chat, &code, &[]).status, 400);
    let flow = scene.flow(1, 8);
    assert_eq!((flow.steps[7].verdict.as_str(), flow.diagnosis.finding), ("code_reused", Finding::TokenRefused));
    // A code that belongs to no flow is still a token request of this client.
    scene.server.advance(200);
    scene.code();
    scene.flow(2, 4);
    let refused = scene.server.redeem(&scene.chat, "ppc_of-another-server", &[]).json();
    scene.server.explain(refused["error_reference"].as_str().unwrap());
    let diagnosis = scene.flow(2, 4).diagnosis;
    assert_eq!((diagnosis.finding, diagnosis.reference.as_deref()), (Finding::TokenRefused, refused["error_reference"].as_str()));
}

fn a_missing_or_refused_userinfo_request_is_diagnosed(backend: Backend) {
    let scene = Scene::new(backend);
    let token = scene.access_token();
    assert_eq!(scene.flow(1, 5).diagnosis.finding, Finding::InProgress);
    scene.server.advance(60);
    assert_eq!(scene.flow(1, 5).diagnosis.finding, Finding::NoUserinfoRequest);
    let site = scene.server.add_client("site", Preset::Web);
    let path = format!("/oauth/userinfo/{}", site.id());
    assert_eq!(Request::get(&scene.server.url(&path)).bearer(&token).send().unwrap().status, 403);
    let flow = scene.flow(1, 6);
    assert_eq!((flow.steps[5].verdict.as_str(), flow.diagnosis.finding), ("token_of_another_client", Finding::UserinfoRefused));
    scene.server.advance(2000);
    let expired = scene.server.userinfo(&token);
    assert_eq!(expired.status, 401);
    let flow = scene.flow(1, 7);
    assert_eq!(flow.steps[6].verdict, "token_expired");
    assert_eq!(flow.diagnosis.reference.as_deref(), expired.json()["error_reference"].as_str());
    // A request that carries no token at all.
    scene.access_token();
    scene.flow(2, 5);
    let missing = Request::get(&scene.server.url("/oauth/userinfo?token=misnamed")).send().unwrap().json();
    scene.server.explain(missing["error_reference"].as_str().unwrap());
    assert_eq!(scene.flow(2, 5).diagnosis.finding, Finding::UserinfoRefused);
}

fn a_loop_is_diagnosed(backend: Backend) {
    let scene = Scene::new(backend);
    let (mut browser, _) = scene.code();
    for turn in 2..5 {
        scene.server.advance(2);
        assert!(browser.visit(&scene.server.authorize_url(&scene.chat, &[])).unwrap().param("code").is_some());
        let finding = scene.flow(turn, 2).diagnosis.finding;
        assert_eq!(finding, if turn < 3 { Finding::InProgress } else { Finding::Loop }, "turn {turn}");
    }
    scene.server.advance(100);
    browser.visit(&scene.server.authorize_url(&scene.chat, &[])).unwrap();
    assert_eq!(scene.flow(5, 2).diagnosis.finding, Finding::InProgress, "a person's own second try is none");
}

fn steps_of_two_replicas_come_together(backend: Backend) {
    let scene = Scene::new(backend);
    let other = scene.server.replica(&[]);
    let (_, code) = scene.code();
    let token = other.redeem(&scene.chat, &code, &[]).json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(other.userinfo(&token).status, 200);
    let flow = scene.flow(1, 6);
    let mut seen = shown(&flow);
    seen.sort_unstable();
    let mut expected: Vec<_> = UP_TO_CODE.into_iter().chain([("token_asked", "ok"), ("userinfo_asked", "ok")]).collect();
    expected.sort_unstable();
    assert_eq!((seen, flow.diagnosis.finding), (expected, Finding::Complete));
}

fn a_client_of_its_own_leaves_no_step(backend: Backend) {
    let scene = Scene::new(backend);
    let worker = scene.server.add_client("worker", Preset::Service);
    let token = scene.server.token(&worker, &[("grant_type", "client_credentials")]).json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(scene.server.userinfo(&token).status, 403);
    // A later flow proves that everything before it has been written.
    scene.access_token();
    scene.flow(1, 5);
    assert_eq!(flows(&scene.server).len(), 1);
    let sizes = scene.server.look(|cx| Ok(cx.store.table_sizes()?));
    assert!(sizes.contains(&("flow_steps", 5)), "{sizes:?}");
}

fn the_trace_holds_no_secret(backend: Backend) {
    let scene = Scene::new(backend);
    let server = &scene.server;
    let more = [("state", "a-state-that-nobody-may-know"), ("nonce", "a-nonce-that-nobody-may-know"), ("login_hint", "private.hint@example.org")];
    let mut browser = Browser::new().stop_at(scene.chat.redirect_uri());
    browser.visit(&server.authorize_url(&scene.chat, &more)).unwrap();
    browser.sign_in("a-password-in-the-name-field", "a-mistyped-password").unwrap();
    let landing = browser.sign_in("anna", &scene.anna.password).unwrap();
    let code = landing.param("code").unwrap();
    server.redeem(&Registered { secret: "a-wrong-client-secret".to_owned(), ..scene.chat.clone() }, &code, &[]);
    let tokens = server.redeem(&scene.chat, &code, &[]).json();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(server.userinfo(token).status, 200);
    let flow = scene.flow(1, 8);
    let mut secrets = vec![
        code.as_str(),
        token,
        token.rsplit('.').next().unwrap(),
        tokens["id_token"].as_str().unwrap(),
        scene.chat.secret.as_str(),
        scene.anna.password.as_str(),
        "a-password-in-the-name-field",
        "a-mistyped-password",
        "a-wrong-client-secret",
        "private.hint",
    ];
    secrets.extend(more.iter().map(|(_, value)| *value));
    let digest = propusk_crypto::digest(&code);
    secrets.push(&digest);
    let sealed = browser.history.iter().filter_map(|hop| Some(hop.request.url.split_once("flow=")?.1.to_owned()));
    let cookies = browser.history.iter().filter_map(|hop| Some(hop.request.header_value("cookie")?.split_once('=')?.1.to_owned()));
    let (sealed, cookies): (Vec<String>, Vec<String>) = (sealed.collect(), cookies.collect());
    assert!(!sealed.is_empty() && !cookies.is_empty());
    secrets.extend(sealed.iter().chain(&cookies).map(String::as_str));
    let rows = format!("{flow:?}");
    let said = command_line(server, &["trace", "--last", "5", "--json"]);
    for secret in secrets {
        assert!(!rows.contains(secret) && !said.contains(secret), "{secret}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the binary lies beside the test's own, and settings of whoever runs the tests must not reach it")]
fn command(server: &TestServer, arguments: &[&str]) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new(own.parent().and_then(Path::parent).unwrap().join("propusk"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROPUSK__") {
            command.env_remove(name);
        }
    }
    let settings = server.settings().iter().map(|(key, value)| (format!("PROPUSK__{}", key.to_uppercase().replace('.', "__")), value));
    command.args(arguments).env("LC_ALL", "C").envs(settings).stdin(Stdio::null());
    command
}

fn command_line(server: &TestServer, arguments: &[&str]) -> String {
    let output = command(server, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn the_command_line_shows_the_trace_as_documented(backend: Backend) {
    let scene = Scene::new(backend);
    assert!(command_line(&scene.server, &["trace", "--client", "chat", "--last", "1"]).contains("The application has never sent anybody here"));
    let empty: Value = serde_json::from_str(&command_line(&scene.server, &["trace", "--client", "chat", "--last", "1", "--json"])).unwrap();
    assert_eq!(empty, serde_json::json!({ "flows": [] }));
    let boris = scene.server.add_user("boris", "user");
    scene.server.sign_in(&scene.chat, &boris, &[]);
    scene.server.advance(1);
    let (_, code) = scene.code();
    scene.server.redeem(&Registered { secret: "a wrong secret".to_owned(), ..scene.chat.clone() }, &code, &[]);
    scene.flow(1, 5);
    let read = |arguments: &[&str]| -> Value {
        let arguments: Vec<&str> = ["trace", "--json"].into_iter().chain(arguments.iter().copied()).collect();
        serde_json::from_str(&command_line(&scene.server, &arguments)).unwrap()
    };
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let document = read(&["--last", "10"]);
    assert_eq!((keys(&document), document["flows"].as_array().unwrap().len()), (vec!["flows".to_owned()], 2));
    let flow = &document["flows"][0];
    assert_eq!(keys(flow), ["client_id", "diagnosis", "id", "started_at", "steps", "username"]);
    assert_eq!(keys(&flow["diagnosis"]), ["explanation", "fix", "slug"]);
    assert_eq!((flow["client_id"].as_str(), flow["username"].as_str()), (Some("chat"), Some("anna")));
    assert_eq!(flow["diagnosis"]["slug"], "token_refused");
    assert_eq!(keys(&flow["steps"][0]), ["at", "step", "verdict"]);
    assert_eq!(keys(&flow["steps"][4]), ["at", "reference", "step", "verdict"]);
    let reference = flow["steps"][4]["reference"].as_str().unwrap();
    assert!(flow["diagnosis"]["fix"].as_str().unwrap().contains(&format!("propusk explain {reference}")));
    assert_eq!(read(&["--last", "10", "--user", "boris"])["flows"][0]["username"], "boris");
    assert_eq!(read(&["--last", "10", "--user", "boris"])["flows"].as_array().unwrap().len(), 1);
    assert_eq!(read(&["--last", "1"])["flows"].as_array().unwrap().len(), 1);
    assert_eq!(read(&["--last", "5", "--client", "site"])["flows"], serde_json::json!([]));
    scene.server.add_user("quiet", "user");
    assert_eq!(command_line(&scene.server, &["trace", "--last", "1", "--user", "quiet"]), "No sign-in of quiet is recorded.\n");
    let nobody = command(&scene.server, &["trace", "--last", "1", "--user", "nobody", "--json"]).output().unwrap();
    let nobody = (nobody.status.code(), serde_json::from_slice::<Value>(&nobody.stdout).unwrap());
    assert_eq!((nobody.0, nobody.1["error"]["cause"].as_str()), (Some(1), Some("unknown_user")), "{}", nobody.1);
    // Whoever is removed is still found by the subject, as long as anything of theirs is recorded.
    let (sub, gone) = (boris.user.sub.clone(), boris.user.sub.clone());
    scene.server.admin(move |cx| users::remove(cx, &sub));
    assert_eq!(read(&["--last", "10", "--user", &gone])["flows"].as_array().unwrap().len(), 1);
    let russian = read(&["--last", "1", "--lang", "ru"]);
    assert!(russian["flows"][0]["diagnosis"]["explanation"].as_str().unwrap().contains("получило отказ"));
    let human = command_line(&scene.server, &["trace", "--last", "1"]);
    assert!(human.contains("secret_wrong (ref ") && human.contains("token_refused"), "{human}");
}

fn the_tail_shows_steps_as_they_come(backend: Backend) {
    let scene = Scene::new(backend);
    scene.code();
    scene.flow(1, 4);
    let mut tail = command(&scene.server, &["trace", "--client", "chat"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut notice = String::new();
    BufReader::new(tail.stderr.take().unwrap()).read_line(&mut notice).unwrap();
    assert!(notice.starts_with("following"), "{notice}");
    let (sender, lines) = mpsc::channel();
    let stdout = tail.stdout.take().unwrap();
    let reader = std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let began = flows(&scene.server).len();
    assert_eq!(began, 1);
    let token = scene.access_token();
    scene.server.userinfo(&token);
    let mut said: Vec<String> = Vec::new();
    while !said.iter().any(|line| line.contains("complete")) {
        said.push(lines.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("only {said:?}")));
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
    let _gone = reader.join().unwrap();
    let steps: Vec<&str> = said.iter().filter_map(|line| line.split_whitespace().nth(1)).filter(|word| word.contains('_')).collect();
    assert_eq!(steps.iter().filter(|step| **step == "code_issued").count(), 1, "what was there before is not shown again: {said:?}");
    for step in ["page_shown", "signed_in", "token_asked", "userinfo_asked"] {
        assert!(steps.contains(&step), "{step}: {said:?}");
    }
}

fn the_tail_speaks_json_a_line_at_a_time(backend: Backend) {
    let scene = Scene::new(backend);
    let mut tail = command(&scene.server, &["trace", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = mpsc::channel();
    let stdout = tail.stdout.take().unwrap();
    let reader = std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    // It says nothing of when it begins, so people sign in until it has seen one.
    let line = (0..60).find_map(|_| {
        scene.code();
        lines.recv_timeout(Duration::from_secs(1)).ok()
    });
    tail.kill().unwrap();
    let output = tail.wait_with_output().unwrap();
    let _gone = reader.join().unwrap();
    let document: Value = serde_json::from_str(&line.unwrap()).unwrap();
    assert_eq!((document["flows"][0]["client_id"].as_str(), output.stderr.len()), (Some("chat"), 0));
}
