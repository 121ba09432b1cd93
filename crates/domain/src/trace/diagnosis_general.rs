//! What a finding means, and what mends it, where the client is no Rocket.Chat: no button, switch or setting of the chat is spoken of.

use super::diagnosis::{Finding, Language};

impl Finding {
    /// Explanation and fix for a chat, as in the table, or for any other application.
    pub const fn said_of(self, is_chat: bool, language: Language) -> (&'static str, &'static str) {
        if is_chat {
            return (self.explanation(language), self.fix(language));
        }
        match (self, language) {
            (Self::NothingAsked, Language::English) => (
                "The application has never sent anybody here: its link or button leads elsewhere, or it is not switched on.",
                "Look which address its sign-in opens: it must be this server's authorization endpoint, with the client id registered here.",
            ),
            (Self::NothingAsked, Language::Russian) => (
                "Приложение никого сюда не присылало: его ссылка или кнопка ведёт в другое место, либо вход не включён.",
                "Посмотрите, какой адрес открывает вход: это должен быть адрес авторизации этого сервера с зарегистрированным здесь client id.",
            ),
            (Self::PageAbandoned, Language::English) => {
                ("The page was shown and the person did not finish.", "Let the person begin again from the application.")
            }
            (Self::PageAbandoned, Language::Russian) => ("Страница показана, но человек не закончил.", "Пусть человек начнёт снова из приложения."),
            (Self::NoTokenRequest, Language::English) => (
                "A code was issued a minute ago or more and no token request came: the application's server cannot reach this address (name, \
                 certificate, private network, loopback inside a container), or it lost the sign-in on the way back (a lost cookie, another tab, \
                 another address than the one it began at).",
                "On the application's machine, inside its container, run curl with this server's issuer and /.well-known/openid-configuration; look \
                 into the application's own log at its callback.",
            ),
            (Self::NoTokenRequest, Language::Russian) => (
                "Код выдан минуту назад или раньше, а запроса токена не было: сервер приложения не достаёт до этого адреса (имя, сертификат, частная \
                 сеть, loopback внутри контейнера) или потерял вход на обратном пути (потерянный cookie, другая вкладка, другой адрес).",
                "На машине приложения, внутри контейнера, выполните curl с issuer этого сервера и /.well-known/openid-configuration; посмотрите в \
                 журнал приложения у его адреса возврата.",
            ),
            (Self::WrongTokenPath, Language::English) => (
                "A code was issued, and instead of a token request one came to another path: the application has a wrong token endpoint.",
                "Let the application read /.well-known/openid-configuration, or set its token endpoint to the issuer and /oauth/token.",
            ),
            (Self::WrongTokenPath, Language::Russian) => (
                "Код выдан, но вместо запроса токена пришёл запрос по другому пути: в приложении неверный адрес токена.",
                "Пусть приложение читает /.well-known/openid-configuration, либо задайте ему адрес токена: issuer и /oauth/token.",
            ),
            (Self::UserinfoRefused, Language::English) => (
                self.explanation(language),
                "Let the application send the access token in the header Authorization: Bearer; propusk explain REFERENCE says more.",
            ),
            (Self::UserinfoRefused, Language::Russian) => (
                self.explanation(language),
                "Пусть приложение присылает токен доступа в заголовке Authorization: Bearer; подробнее — propusk explain ССЫЛКА.",
            ),
            (Self::Complete, Language::English) => (
                "Everything went through here. If the person is not in the application all the same, it refused them itself.",
                "When the person is in, nothing; otherwise look into the application's own log.",
            ),
            (Self::Complete, Language::Russian) => (
                "Здесь всё прошло. Если человек всё же не вошёл в приложение, отказало оно само.",
                "Если человек вошёл — ничего; иначе посмотрите в журнал приложения.",
            ),
            _ => (self.explanation(language), self.fix(language)),
        }
    }
}
