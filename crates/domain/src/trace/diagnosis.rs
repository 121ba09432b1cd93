//! What is wrong with a sign-in, judged by the step that never came. One table: the documentation is made from it, too.

use super::{FlowStep, Step};
use crate::cause::Cause;
use crate::records::RefusalRecord;
use crate::time::UnixTime;

macro_rules! findings {
    ($($variant:ident = $slug:literal { $english:literal / $russian:literal; $fix:literal / $fix_ru:literal })*) => {
        /// What a trace comes to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Finding {
            $(#[doc = $english] $variant,)*
        }

        impl Finding {
            /// Every finding, in the order of the flow.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name: `no_token_request`.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)* }
            }

            /// What it means.
            pub const fn explanation(self, language: Language) -> &'static str {
                match (self, language) { $((Self::$variant, Language::English) => $english, (Self::$variant, Language::Russian) => $russian,)* }
            }

            /// What mends it.
            pub const fn fix(self, language: Language) -> &'static str {
                match (self, language) { $((Self::$variant, Language::English) => $fix, (Self::$variant, Language::Russian) => $fix_ru,)* }
            }
        }
    };
}

/// The language of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `en`
    English,
    /// `ru`
    Russian,
}

findings! {
    NothingAsked = "nothing_asked" {
        "The application has never sent anybody here: its button or service is off, it needs a licence (Rocket.Chat 9.x), its URL leads elsewhere, or the browser blocked the popup." /
        "Приложение никого сюда не присылало: кнопка или служба выключена, нужна лицензия (Rocket.Chat 9.x), адрес ведёт в другое место, либо браузер заблокировал всплывающее окно.";
        "Look whether the button is there and which address it opens; in Rocket.Chat check that the Custom OAuth service is enabled and its URL is this server's issuer." /
        "Посмотрите, есть ли кнопка и какой адрес она открывает; в Rocket.Chat проверьте, что служба Custom OAuth включена, а её URL — issuer этого сервера."
    }
    AuthorizeRefused = "authorize_refused" {
        "The authorization request itself was refused." /
        "Отклонён сам запрос авторизации.";
        "propusk explain REFERENCE says what was expected, what came and what mends it." /
        "propusk explain ССЫЛКА покажет, что ожидалось, что пришло и что поможет."
    }
    PageNeverShown = "page_never_shown" {
        "The browser was sent to the sign-in page and never opened it." /
        "Браузер отправлен на страницу входа, но не открыл её.";
        "Look whether the page opens at the public address, and whether a proxy or an extension keeps it from opening." /
        "Проверьте, открывается ли страница по публичному адресу и не мешает ли прокси или расширение браузера."
    }
    PageAbandoned = "page_abandoned" {
        "The page was shown and the person did not finish. After five minutes a modern Rocket.Chat has forgotten the sign-in." /
        "Страница показана, но человек не закончил. Через пять минут современный Rocket.Chat забывает о входе.";
        "Let the person begin again from the application." /
        "Пусть человек начнёт снова из приложения."
    }
    SignInRefused = "sign_in_refused" {
        "The person tried to sign in and was refused." /
        "Человек попробовал войти и получил отказ.";
        "propusk explain REFERENCE says why; propusk user set-password gives a new password." /
        "propusk explain ССЫЛКА скажет почему; propusk user set-password задаст новый пароль."
    }
    Declined = "declined" {
        "The person cancelled on the sign-in page or declined on the consent page." /
        "Человек отменил вход или отказал приложению в доступе.";
        "Let the person begin again and allow it; a client of your own needs no consent (propusk client set CLIENT_ID --first-party)." /
        "Пусть человек начнёт снова и разрешит; своему клиенту согласие не нужно (propusk client set CLIENT_ID --first-party)."
    }
    ConsentAbandoned = "consent_abandoned" {
        "The person signed in but did not answer the consent page." /
        "Человек вошёл, но не ответил на странице согласия.";
        "Let the person begin again and allow it; a client of your own needs no consent (propusk client set CLIENT_ID --first-party)." /
        "Пусть человек начнёт снова и разрешит; своему клиенту согласие не нужно (propusk client set CLIENT_ID --first-party)."
    }
    Loop = "loop" {
        "The same person comes back within seconds: a script signs in automatically, the application's callback does not keep the code, or a cookie is blocked." /
        "Тот же человек возвращается через секунды: скрипт входит сам, обработчик возврата приложения теряет код, либо заблокирован cookie.";
        "Switch automatic sign-in off and try once by hand; let the browser keep the application's cookies, and open it at exactly one address with https." /
        "Отключите автоматический вход и попробуйте один раз вручную; разрешите cookie приложения и открывайте его по одному адресу с https."
    }
    ChatSessionDead = "chat_session_dead" {
        "The person needed more than five minutes, and the application has forgotten the sign-in: a modern Rocket.Chat keeps it for five minutes." /
        "Человеку понадобилось больше пяти минут, и приложение забыло о входе: современный Rocket.Chat помнит его пять минут.";
        "Let the person begin again and sign in within five minutes." /
        "Пусть человек начнёт снова и войдёт в течение пяти минут."
    }
    NoTokenRequest = "no_token_request" {
        "A code was issued a minute ago or more and no token request came: Rocket.Chat cannot reach this address (name, certificate, private network, loopback inside a container), or it lost the sign-in on the way back (two tabs, a lost cookie, http instead of https, another address than Site_Url)." /
        "Код выдан минуту назад или раньше, а запроса токена не было: Rocket.Chat не достаёт до этого адреса (имя, сертификат, частная сеть, loopback внутри контейнера) или потерял вход на обратном пути (две вкладки, потерянный cookie, http вместо https, не тот адрес, что в Site_Url).";
        "On the chat's machine, inside its container, run curl with this server's issuer and /.well-known/openid-configuration; sign in with one tab; make Site_Url the address that people open." /
        "На машине чата, внутри контейнера, выполните curl с issuer этого сервера и /.well-known/openid-configuration; входите в одной вкладке; сделайте Site_Url адресом, который открывают люди."
    }
    WrongTokenPath = "wrong_token_path" {
        "A code was issued, and instead of a token request one came to another path: the application's Token Path is wrong." /
        "Код выдан, но вместо запроса токена пришёл запрос по другому пути: в приложении неверный Token Path.";
        "Set Token Path to /oauth/token." /
        "Задайте Token Path: /oauth/token."
    }
    TokenRefused = "token_refused" {
        "The application asked for a token and was refused: client credentials, redirect URI, age of the code, or verifier." /
        "Приложение запросило токен и получило отказ: данные клиента, адрес возврата, возраст кода или verifier.";
        "propusk explain REFERENCE says what was expected, what came and what mends it." /
        "propusk explain ССЫЛКА покажет, что ожидалось, что пришло и что поможет."
    }
    NoUserinfoRequest = "no_userinfo_request" {
        "The token was given and nobody asked who it is: the application could not read the answer, or its Identity Path is wrong." /
        "Токен выдан, но никто не спросил, чей он: приложение не смогло прочитать ответ или в нём неверный Identity Path.";
        "Set Identity Path to /oauth/userinfo/CLIENT_ID; look whether a proxy changes the token answer." /
        "Задайте Identity Path: /oauth/userinfo/CLIENT_ID; проверьте, не меняет ли прокси ответ с токеном."
    }
    WrongIdentityPath = "wrong_identity_path" {
        "The token was given, and instead of a userinfo request one came to another path: the application's Identity Path is wrong." /
        "Токен выдан, но вместо запроса userinfo пришёл запрос по другому пути: в приложении неверный Identity Path.";
        "Set Identity Path to /oauth/userinfo/CLIENT_ID." /
        "Задайте Identity Path: /oauth/userinfo/CLIENT_ID."
    }
    UserinfoRefused = "userinfo_refused" {
        "The application asked who it is and was refused." /
        "Приложение спросило, чей токен, и получило отказ.";
        "If the token came in the query string, set Identity Token Sent Via to Header; propusk explain REFERENCE says more." /
        "Если токен пришёл в строке запроса, задайте Identity Token Sent Via: Header; подробнее — propusk explain ССЫЛКА."
    }
    ServerFault = "server_fault" {
        "This server could not answer a step." /
        "Этот сервер не смог ответить на одном из шагов.";
        "Find the reference in the log; propusk config check and /readyz say whether database and keys are in order." /
        "Найдите ссылку в журнале; propusk config check и /readyz скажут, в порядке ли база и ключи."
    }
    Complete = "complete" {
        "Everything went through here. If the person is not in the chat all the same, Rocket.Chat refused them itself: a user name or e-mail address that exists there, a missing field, an inactive account, the domain list, registration off, the licence, a second factor." /
        "Здесь всё прошло. Если человек всё же не вошёл в чат, отказал сам Rocket.Chat: там уже есть такое имя или адрес почты, не хватает поля, учётная запись неактивна, список доменов, регистрация выключена, лицензия, второй фактор.";
        "When the person is in, nothing; otherwise look in the chat's log for CustomOAuth and \"Exception while invoking method login\", and switch Merge users on." /
        "Если человек вошёл — ничего; иначе найдите в журнале чата CustomOAuth и «Exception while invoking method login» и включите Merge users."
    }
    InProgress = "in_progress" {
        "The sign-in is under way." /
        "Вход ещё идёт.";
        "Wait for the next step." /
        "Дождитесь следующего шага."
    }
}

/// A finding with what makes it concrete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The row of the table.
    pub finding: Finding,
    /// Why the step was refused.
    pub cause: Option<Cause>,
    /// The reference of that refusal.
    pub reference: Option<String>,
    /// The path that was asked instead.
    pub path: Option<String>,
    /// The client.
    pub client_id: String,
    /// Whether the client is a Rocket.Chat: others are told nothing of its settings.
    pub is_chat: bool,
}

impl Diagnosis {
    fn of(finding: Finding) -> Self {
        Self { finding, cause: None, reference: None, path: None, client_id: String::new(), is_chat: true }
    }

    fn step(finding: Finding, step: &FlowStep) -> Self {
        let cause = Cause::ALL.iter().copied().find(|cause| cause.slug() == step.verdict);
        let finding = if cause.is_none() { Finding::ServerFault } else { finding };
        Self { cause, reference: step.reference.clone(), ..Self::of(finding) }
    }

    fn stray(finding: Finding, stray: &RefusalRecord) -> Self {
        let path = (stray.detail.cause == Cause::WrongPath).then(|| stray.detail.received.clone()).flatten();
        Self { cause: Some(stray.detail.cause), reference: Some(stray.reference.clone()), path, ..Self::of(finding) }
    }

    /// Whether anything is wrong.
    pub fn is_problem(&self) -> bool {
        !matches!(self.finding, Finding::Complete | Finding::InProgress)
    }

    /// What it means, with the cause of the refusal.
    pub fn explanation(&self, language: Language) -> String {
        let mut text = self.finding.said_of(self.is_chat, language).0.to_owned();
        if let Some(cause) = self.cause {
            let why = if language == Language::Russian { cause.explanation_ru() } else { cause.explanation() };
            text = format!("{text} {why}");
        }
        match &self.path {
            Some(path) => format!("{text} ({path})"),
            None => text,
        }
    }

    /// What mends it, with reference and client in place.
    pub fn fix(&self, language: Language) -> String {
        let (_, general) = self.finding.said_of(self.is_chat, language);
        let advice = self.own_advice().map(|cause| if language == Language::Russian { cause.advice_ru() } else { cause.advice() });
        let mut fix = match (advice, language) {
            (None, _) => general.to_owned(),
            (Some(advice), Language::English) => format!("{} propusk explain REFERENCE says more.", ended(advice)),
            (Some(advice), Language::Russian) => format!("{} Подробнее — propusk explain ССЫЛКА.", ended(advice)),
        };
        if !self.client_id.is_empty() {
            fix = fix.replace("CLIENT_ID", &self.client_id);
        }
        match &self.reference {
            Some(reference) => fix.replace("REFERENCE", reference).replace("ССЫЛКА", reference),
            None => fix,
        }
    }

    /// The cause whose advice fits better than that of the finding, which is about its usual cause.
    fn own_advice(&self) -> Option<Cause> {
        let usual: &[Cause] = match self.finding {
            Finding::UserinfoRefused => &[Cause::TokenInQuery, Cause::TokenMissing, Cause::TokenInTwoPlaces],
            Finding::SignInRefused => &[Cause::WrongPassword],
            _ => return None,
        };
        self.cause.filter(|cause| !usual.contains(cause))
    }
}

/// With a full stop, but not behind a command that ends the sentence.
fn ended(advice: &str) -> String {
    let advice = advice.trim_end_matches('.');
    if advice.contains("propusk ") { format!("{advice};") } else { format!("{advice}.") }
}

/// Everything that the diagnosis looks at.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The steps of the flow, in order.
    pub steps: &'a [FlowStep],
    /// Whether the client is a Rocket.Chat, which always asks for userinfo.
    pub asks_userinfo: bool,
    /// How many flows the same person began at the same client within half a minute, this one included.
    pub repeated: usize,
    /// Refusals that no flow has.
    pub strays: &'a [RefusalRecord],
}

/// A modern Rocket.Chat forgets a sign-in after so many seconds; a person who needs longer has left.
const CHAT_SESSION: i64 = 300;

/// A program that has not asked after so many seconds will not ask.
const PROGRAM: i64 = 60;

/// How long after a step a request that could not name its flow may belong to it, in seconds.
const STRAY_WINDOW: i64 = 120;

/// So many sign-ins within half a minute are no person's.
const LOOP: usize = 3;

/// Judges by the last step that came.
pub fn diagnose(evidence: &Evidence<'_>, now: UnixTime) -> Diagnosis {
    let client_id = evidence.steps.first().map_or_else(String::new, |first| first.client_id.clone());
    Diagnosis { client_id, is_chat: evidence.asks_userinfo, ..judge(evidence, now) }
}

fn judge(evidence: &Evidence<'_>, now: UnixTime) -> Diagnosis {
    let ok = |step| evidence.steps.iter().find(|row| row.step == step && row.is_ok());
    let refused = |step| evidence.steps.iter().rev().find(|row| row.step == step && !row.is_ok());
    if evidence.steps.is_empty() {
        return Diagnosis::of(Finding::NothingAsked);
    }
    // A code that came twice has revoked what the first time gave.
    if let Some(token) = refused(Step::TokenAsked).filter(|token| ok(Step::TokenAsked).is_none() || token.verdict == Cause::CodeReused.slug()) {
        return Diagnosis::step(Finding::TokenRefused, token);
    }
    if let Some(token) = ok(Step::TokenAsked) {
        return after_token(evidence, token, now);
    }
    if let Some(code) = ok(Step::CodeIssued) {
        return after_code(evidence, code, now);
    }
    before_code(evidence, now)
}

fn after_token(evidence: &Evidence<'_>, token: &FlowStep, now: UnixTime) -> Diagnosis {
    let userinfo = |row: &&FlowStep| row.step == Step::UserinfoAsked;
    let asked = evidence.steps.iter().filter(userinfo).any(FlowStep::is_ok);
    if !asked && let Some(refused) = evidence.steps.iter().rev().find(userinfo) {
        return Diagnosis::step(Finding::UserinfoRefused, refused);
    }
    if !asked && evidence.asks_userinfo {
        for stray in strays_after(evidence, token) {
            match (stray.endpoint.as_str(), stray.detail.cause) {
                (_, Cause::WrongPath) if leads_to(stray, &["/oauth/userinfo", "/me"]) => return Diagnosis::stray(Finding::WrongIdentityPath, stray),
                // The Identity Path holds the token path.
                ("token", Cause::WrongMethod) => return Diagnosis::stray(Finding::WrongIdentityPath, stray),
                ("userinfo", _) => return Diagnosis::stray(Finding::UserinfoRefused, stray),
                _ => {}
            }
        }
    }
    if evidence.repeated >= LOOP {
        return Diagnosis::of(Finding::Loop);
    }
    if asked || !evidence.asks_userinfo {
        return Diagnosis::of(Finding::Complete);
    }
    Diagnosis::of(if now.since(token.at) < PROGRAM { Finding::InProgress } else { Finding::NoUserinfoRequest })
}

fn after_code(evidence: &Evidence<'_>, code: &FlowStep, now: UnixTime) -> Diagnosis {
    for stray in strays_after(evidence, code) {
        match (stray.endpoint.as_str(), stray.detail.cause) {
            (_, Cause::WrongPath) if leads_to(stray, &["/oauth/token"]) => return Diagnosis::stray(Finding::WrongTokenPath, stray),
            // The Token Path holds the identity path.
            ("userinfo", Cause::TokenMissing) => return Diagnosis::stray(Finding::WrongTokenPath, stray),
            ("token", _) => return Diagnosis::stray(Finding::TokenRefused, stray),
            _ => {}
        }
    }
    if evidence.repeated >= LOOP {
        return Diagnosis::of(Finding::Loop);
    }
    let began = evidence.steps.first().map_or(code.at, |first| first.at);
    if now.since(code.at) < PROGRAM {
        return Diagnosis::of(Finding::InProgress);
    }
    let is_forgotten = evidence.asks_userinfo && code.at.since(began) > CHAT_SESSION;
    Diagnosis::of(if is_forgotten { Finding::ChatSessionDead } else { Finding::NoTokenRequest })
}

fn before_code(evidence: &Evidence<'_>, now: UnixTime) -> Diagnosis {
    let (Some(first), Some(last)) = (evidence.steps.first(), evidence.steps.last()) else { return Diagnosis::of(Finding::NothingAsked) };
    if last.verdict == Cause::AccessDenied.slug() {
        return Diagnosis::step(Finding::Declined, last);
    }
    if !last.is_ok() {
        return match last.step {
            Step::Authorize | Step::CodeIssued => Diagnosis::step(Finding::AuthorizeRefused, last),
            _ => Diagnosis::step(Finding::SignInRefused, last),
        };
    }
    let age = now.since(first.at);
    let has = |step| evidence.steps.iter().any(|row| row.step == step && row.is_ok());
    Diagnosis::of(match () {
        () if has(Step::SignedIn) && age > CHAT_SESSION => Finding::ConsentAbandoned,
        () if has(Step::PageShown) && age > CHAT_SESSION => Finding::PageAbandoned,
        () if !has(Step::PageShown) && !has(Step::SignedIn) && age >= PROGRAM => Finding::PageNeverShown,
        () => Finding::InProgress,
    })
}

/// Refusals that may be the missing step, the earliest first: of this client, or of nobody known.
fn strays_after<'a>(evidence: &'a Evidence<'_>, step: &'a FlowStep) -> impl Iterator<Item = &'a RefusalRecord> {
    let window = step.at..=step.at.plus(STRAY_WINDOW);
    let own = |stray: &&RefusalRecord| stray.detail.client_id.as_ref().is_none_or(|client_id| *client_id == step.client_id);
    let mut strays: Vec<&RefusalRecord> = evidence.strays.iter().filter(|stray| window.contains(&stray.at)).filter(own).collect();
    strays.sort_by_key(|stray| stray.at);
    strays.into_iter()
}

/// Whether the documented path nearest to the one that was asked is one of these.
fn leads_to(stray: &RefusalRecord, paths: &[&str]) -> bool {
    stray.detail.nearest.as_deref().is_some_and(|nearest| paths.iter().any(|path| nearest.ends_with(path)))
}

#[cfg(test)]
#[path = "diagnosis_tests.rs"]
mod tests;
