//! What a browser sees of the chat: its login page, iframe authentication, the callback of the OAuth service, channels. Plain pages
//! instead of the real program, with the same addresses, the same order of ways in, and the same headers.

use std::fmt::Write as _;

use url::Url;

use super::answer::Answer;
use super::http::Incoming;
use super::provider;
use super::state::{State, Token};
use crate::rocketchat::entropy::ALPHANUMERIC;
use crate::rocketchat::{CallbackAnswer, Login, Wire};

/// Names the browser, as the modern flow's cookie session does.
const BROWSER: &str = "chat_browser";

/// The login token; the real program keeps it in the page's storage.
const LOGIN: &str = "chat_login";

/// Answers everything outside `/api/`.
pub(super) fn handle(state: &mut State, request: &Incoming) -> Answer {
    let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let mut answer = match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["oauth", key]) => begin(state, request, key),
        ("GET", ["_oauth", key]) => callback(state, request, key),
        ("POST", ["front", "resume"]) => resume(state, request),
        ("POST", ["front", "logout"]) => log_out(state, request),
        ("GET", [] | ["home" | "login"]) => page(state, request, None),
        ("GET", ["channel" | "group", name]) => page(state, request, Some(name)),
        _ => Answer::html(404, &document("404", "<h1 id=\"not-found\">404</h1>")),
    };
    if state.settings.get("Iframe_Restrict_Access") == Some(&true.into()) {
        answer.headers.push(("X-Frame-Options".into(), setting(state, "Iframe_X_Frame_Options")));
    }
    answer.headers.push(("Cache-Control".into(), "no-store".into()));
    let added = state.proxy_headers.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    answer.headers.extend(added.lines().filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned())));
    answer
}

/// The button: to the authorization server.
fn begin(state: &mut State, request: &Incoming, key: &str) -> Answer {
    if !provider::services(state).contains_key(key) {
        return Answer::html(404, &document("404", "<h1 id=\"not-found\">404</h1>"));
    }
    let browser = cookie(request, BROWSER).unwrap_or_else(|| state.chat.entropy.string(24, ALPHANUMERIC));
    let here = format!("{}/home", state.root_url);
    match state.chat.start(&browser, &here, state.now) {
        Ok(start) => with_cookie(redirect(&start.url), BROWSER, &browser),
        Err(_) => redirect("/login"),
    }
}

/// Back from there with a code: tokens, identity, account, and a login of this browser.
fn callback(state: &mut State, request: &Incoming, key: &str) -> Answer {
    let browser = cookie(request, BROWSER).unwrap_or_default();
    let Ok(url) = Url::parse_with_params(&format!("{}/_oauth/{key}", state.root_url), &request.query) else { return redirect("/login") };
    let now = state.now;
    let came = state.chat.callback(&browser, url.as_str(), &mut Wire, now);
    let came = match came {
        CallbackAnswer::Restart(start) => return redirect(&start.url),
        other => other,
    };
    match state.chat.finish(came, now) {
        Login::In { user, landing } => {
            let token = state.token_of(&user);
            let landing = landing.unwrap_or_else(|| "/home".to_owned());
            // The modern landing carries a code for the program to redeem; the cookie is that already.
            let landing = landing.split_once("?loginCode=").map_or(landing.as_str(), |(path, _)| path).to_owned();
            with_cookie(redirect(&landing), LOGIN, &token)
        }
        other => {
            let body =
                format!("<h1 id=\"login-failed\">Login failed</h1><p>{}</p><p><a href=\"/login\">Login</a></p>", escape(&format!("{other:?}")));
            Answer::html(500, &document("Login failed", &body))
        }
    }
}

/// The page has got a login token by iframe authentication.
fn resume(state: &mut State, request: &Incoming) -> Answer {
    match request.text("resume").filter(|token| login_of(state, token).is_some()) {
        Some(token) => with_cookie(Answer::success(serde_json::json!({})), LOGIN, token),
        None => Answer::unauthorized(),
    }
}

fn log_out(state: &mut State, request: &Incoming) -> Answer {
    let token = cookie(request, LOGIN).unwrap_or_default();
    state.tokens.retain(|known| known.token != token);
    let script = setting(state, "Custom_Script_On_Logout");
    let body = format!("<p id=\"bye\">Bye</p><p><a href=\"/home\">Home</a></p><script>{script}</script>");
    with_cookie(Answer::html(200, &document("Bye", &body)), LOGIN, "")
}

fn page(state: &State, request: &Incoming, channel: Option<&str>) -> Answer {
    let user = cookie(request, LOGIN).and_then(|token| login_of(state, &token).map(|login| login.user.clone()));
    let Some(user) = user else { return Answer::html(200, &document("Login", &anonymous(state))) };
    let workspace = &state.chat.workspace;
    let account = workspace.user(&user);
    let rooms = workspace.rooms_of(&user);
    let role_name = |id: &String| workspace.roles.iter().find(|role| role.id == *id).map_or(id.as_str(), |role| role.name.as_str()).to_owned();
    let roles: Vec<String> = account.roles.iter().map(role_name).collect();
    let mut links = String::new();
    for room in &rooms {
        let current = if channel == Some(*room) { " aria-current=\"page\"" } else { "" };
        let _always = write!(links, "<li><a href=\"/channel/{0}\"{current}># {0}</a></li>", escape(room));
    }
    let place = match channel {
        None => "<h1 id=\"place\">Home</h1><p>Pick a channel.</p>".to_owned(),
        Some(name) if rooms.contains(&name) => {
            format!("<h1 id=\"place\"># {0}</h1><p class=\"message\"><b>rocket.cat</b><br>Welcome to {0}.</p>", escape(name))
        }
        Some(name) => format!("<h1 id=\"place\">No access</h1><p>You are no member of <b># {}</b>.</p>", escape(name)),
    };
    let body = format!(
        "<aside><p id=\"who\">{}</p><p>{}</p><p id=\"roles\">{}</p><ul id=\"channels\">{links}</ul>\
         <form method=\"post\" action=\"/front/logout\"><button id=\"logout\">Logout</button></form></aside><main>{place}</main>",
        escape(account.username.as_deref().unwrap_or_default()),
        escape(account.name.as_deref().unwrap_or_default()),
        escape(&roles.join(" ")),
    );
    Answer::html(200, &document("Chat", &body))
}

/// What somebody who is not signed in gets: iframe authentication when all its settings are there, otherwise the buttons.
fn anonymous(state: &State) -> String {
    let frame = setting(state, "Accounts_iframe_url");
    let api = setting(state, "Accounts_Iframe_api_url");
    let method = setting(state, "Accounts_Iframe_api_method");
    let enabled = state.settings.get("Accounts_iframe_enabled") == Some(&true.into());
    if enabled && ![&frame, &api, &method].iter().any(|text| text.is_empty()) {
        let text = |text: &str| serde_json::Value::from(text).to_string().replace('<', "\\u003c");
        return format!(
            "<main class=\"login\"><iframe id=\"login-frame\" title=\"Login\" hidden></iframe></main><script>const settings = \
             {{ frame: {}, api: {}, method: {} }};{SCRIPT}</script>",
            text(&frame),
            text(&api),
            text(&method),
        );
    }
    let mut buttons = String::new();
    for (key, name) in provider::services(state) {
        let label = state.settings.get(&format!("Accounts_OAuth_Custom-{name}-button_label_text")).and_then(|label| label.as_str());
        let label = label.filter(|label| !label.is_empty()).unwrap_or(&name);
        let _always = write!(buttons, "<p><a class=\"button\" id=\"sign-in-{0}\" href=\"/oauth/{0}\">{1}</a></p>", escape(&key), escape(label));
    }
    format!("<main class=\"login\"><h1 id=\"login\">Chat</h1>{buttons}</main>")
}

/// Asks for a token with the person's cookies; without one shows the frame, which says when to ask again.
const SCRIPT: &str = "
const ask = async () => {
  const answer = await fetch(settings.api, { method: settings.method, credentials: 'include' }).catch(() => null);
  if (!answer || answer.status !== 200) return show();
  const { loginToken } = await answer.json();
  const body = JSON.stringify({ resume: loginToken });
  const taken = await fetch('/front/resume', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  if (taken.ok) location.reload(); else show();
};
const show = () => {
  const frame = document.getElementById('login-frame');
  if (frame.hidden) { frame.hidden = false; frame.src = settings.frame; }
};
addEventListener('message', (event) => {
  if (event.origin === new URL(settings.frame).origin && event.data.event === 'try-iframe-login') ask();
});
ask();
";

const STYLE: &str = "
:root { color-scheme: light dark; --line: #cbced1; --side: #f2f3f5; --accent: #1055ad; }
@media (prefers-color-scheme: dark) { :root { --line: #404552; --side: #262931; --accent: #95c2ff; } }
body { display: flex; min-height: 100vh; margin: 0; font: 1rem/1.5 system-ui, sans-serif; }
aside { width: 11rem; padding: 1rem; background: var(--side); border-right: 1px solid var(--line); box-sizing: border-box; }
aside p { margin: 0 0 .25rem; } #who { font-weight: 700; } ul { padding: 0; list-style: none; } li { padding: .2rem 0; }
a { color: var(--accent); } [aria-current] { font-weight: 700; }
main { flex: 1; padding: 1rem 1.5rem; } h1 { font-size: 1.25rem; } .login { display: flex; flex-direction: column; align-items: center; }
.login iframe { width: 100%; min-height: 36rem; border: 0; } .message { padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem; }
@media (max-width: 30rem) { body { flex-direction: column; } aside { width: 100%; } .login iframe { min-height: 32rem; } }
";

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title><link rel=\"icon\" href=\"data:,\">\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>{body}</body></html>",
        escape(title)
    )
}

fn login_of<'a>(state: &'a State, token: &str) -> Option<&'a Token> {
    let known = state.tokens.iter().find(|known| known.token == token)?;
    state.chat.workspace.users.iter().any(|user| user.id == known.user && user.active).then_some(known)
}

fn setting(state: &State, id: &str) -> String {
    state.settings.get(id).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

fn cookie(request: &Incoming, name: &str) -> Option<String> {
    let cookies = request.headers.get("cookie")?;
    let found = cookies.split("; ").filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name)?;
    Some(found.1.to_owned()).filter(|value| !value.is_empty())
}

fn with_cookie(mut answer: Answer, name: &str, value: &str) -> Answer {
    answer.headers.push(("Set-Cookie".into(), format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax")));
    answer
}

fn redirect(to: &str) -> Answer {
    let mut answer = Answer::html(302, "");
    answer.headers.push(("Location".into(), to.to_owned()));
    answer
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::{ChatServer, Edition};
    use crate::http::Request;

    fn get(chat: &ChatServer, path: &str, login: &str) -> crate::http::Response {
        Request::get(&format!("{}{path}", chat.url())).header("cookie", format!("chat_login={login}")).send().unwrap()
    }

    #[test]
    fn a_login_shows_the_person_and_its_channels_and_no_others() {
        let chat = ChatServer::start(Edition::community(8, 9));
        let token = {
            let mut state = chat.state();
            let anna = state.chat.workspace.add_local_user("anna", "anna@example.org", true);
            state.chat.workspace.add_room("general", "root", false).members.push(anna.clone());
            state.chat.workspace.add_room("vip", "root", true);
            state.token_of(&anna)
        };
        let inside = get(&chat, "/channel/general", &token).text();
        assert!(inside.contains("<p id=\"who\">anna</p>") && inside.contains("<h1 id=\"place\"># general</h1>"), "{inside}");
        assert!(get(&chat, "/group/vip", &token).text().contains("No access"));
        assert!(get(&chat, "/channel/general", "other").text().contains("id=\"login\""));
        chat.state().tokens.clear();
        assert!(get(&chat, "/channel/general", &token).text().contains("id=\"login\""));
    }

    #[test]
    fn frames_are_restricted_by_the_setting() {
        let chat = ChatServer::start(Edition::community(8, 9));
        assert_eq!(get(&chat, "/home", "").header("x-frame-options"), Some("sameorigin"));
        chat.state().set("Iframe_Restrict_Access", false);
        assert_eq!(get(&chat, "/home", "").header("x-frame-options"), None);
    }

    #[test]
    fn iframe_authentication_needs_all_four_settings() {
        let chat = ChatServer::start(Edition::community(8, 9));
        let asks = |chat: &ChatServer| get(chat, "/home", "").text().contains("login-frame");
        for (id, value) in [("Accounts_iframe_url", "http://127.0.0.1/frame"), ("Accounts_Iframe_api_url", "http://127.0.0.1/login")] {
            chat.state().set(id, value);
            assert!(!asks(&chat));
        }
        chat.state().set("Accounts_iframe_enabled", true);
        assert!(asks(&chat));
    }
}
