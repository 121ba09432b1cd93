//! The likely causes of refusals: stable slugs that scripts and tests may rely on.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! causes {
    ($($variant:ident = $slug:literal: $english:literal / $russian:literal;)*) => {
        /// Why a request was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Cause {
            $(#[doc = $english] #[serde(rename = $slug)] $variant,)*
        }

        impl Cause {
            /// Every cause, in the order of the flow.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name: `redirect_uri_mismatch`.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)* }
            }

            /// One or two sentences for the operator, in English.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $english,)* }
            }

            /// The same sentences in Russian.
            pub const fn explanation_ru(self) -> &'static str {
                match self { $(Self::$variant => $russian,)* }
            }
        }
    };
}

causes! {
    MalformedRequest = "malformed_request": "A parameter is missing, repeated, too long or wrongly encoded." / "Параметр отсутствует, повторён, слишком длинный или неверно закодирован.";
    WrongPath = "wrong_path": "No endpoint lives at this path; the client's settings name a wrong one." / "По этому пути ничего нет: в настройках клиента указан неверный путь.";
    WrongMethod = "wrong_method": "The endpoint exists but does not answer this HTTP method." / "Такой адрес есть, но этот метод HTTP он не принимает.";
    WrongContentType = "wrong_content_type": "The body must be application/x-www-form-urlencoded." / "Тело запроса должно быть application/x-www-form-urlencoded.";
    TooLarge = "too_large": "The request is larger than the server reads." / "Запрос больше, чем сервер читает.";
    UnknownClient = "unknown_client": "No client with this identifier is registered." / "Клиент с таким идентификатором не зарегистрирован.";
    DisabledClient = "disabled_client": "The client is registered but switched off." / "Клиент зарегистрирован, но отключён.";
    RedirectUriMismatch = "redirect_uri_mismatch": "The redirect URI is not, character for character, one that the client registered." / "Адрес возврата не совпадает посимвольно ни с одним зарегистрированным у клиента.";
    RedirectUriMissing = "redirect_uri_missing": "The request names no redirect URI and the client has not registered exactly one." / "В запросе нет адреса возврата, а у клиента зарегистрирован не ровно один.";
    ResponseTypeNotSupported = "response_type_not_supported": "Only response_type=code is served." / "Поддерживается только response_type=code.";
    GrantNotAllowed = "grant_not_allowed": "The client may not use this grant type." / "Клиенту не разрешён этот тип гранта.";
    GrantNotSupported = "grant_not_supported": "The server does not know this grant type." / "Сервер не знает такого типа гранта.";
    ScopeNotAllowed = "scope_not_allowed": "The client asked for a scope that it may not have." / "Клиент попросил область доступа, которая ему не разрешена.";
    PkceRequired = "pkce_required": "This client must send a PKCE S256 challenge." / "Этот клиент обязан присылать PKCE-вызов S256.";
    LoginRequired = "login_required": "The client asked with prompt=none but nobody is signed in recently enough." / "Клиент прислал prompt=none, но никто не вошёл достаточно недавно.";
    ConsentRequired = "consent_required": "The client asked with prompt=none but the person has not consented yet." / "Клиент прислал prompt=none, но человек ещё не дал согласия.";
    AccessDenied = "access_denied": "The person cancelled or declined." / "Человек отменил вход или отказал.";
    SecretMissing = "secret_missing": "The client has a secret but sent none." / "У клиента есть секрет, но он его не прислал.";
    SecretWrong = "secret_wrong": "The secret is not one of the client's live secrets." / "Секрет не совпадает ни с одним действующим секретом клиента.";
    SecretIsStoredHash = "secret_is_stored_hash": "What was sent looks like a stored hash of the secret, not the secret itself." / "Прислан хеш секрета из хранилища, а не сам секрет.";
    SecretNotFormDecoded = "secret_not_form_decoded": "The secret matches once percent-encoding is undone or applied once more: one side encodes it wrongly." / "Секрет совпадает, если снять или добавить процентное кодирование: одна из сторон кодирует его неверно.";
    SecretHasWhitespace = "secret_has_whitespace": "The secret matches without the white space around it: a stray newline was pasted or read from a file." / "Секрет совпадает без пробелов по краям: в него попал перевод строки.";
    SecretExpired = "secret_expired": "The secret was right but has been replaced and its overlap has ended." / "Секрет был верным, но его заменили и срок перекрытия истёк.";
    WrongAuthMethod = "wrong_auth_method": "The client authenticated in a way it is not registered for." / "Клиент аутентифицируется не тем способом, для которого зарегистрирован.";
    TwoAuthMethods = "two_auth_methods": "The client sent its credentials in two ways at once." / "Клиент прислал свои данные двумя способами сразу.";
    MalformedBasic = "malformed_basic": "The Authorization header is not well-formed Basic credentials." / "Заголовок Authorization не является правильными данными Basic.";
    MissingScheme = "missing_scheme": "The Authorization header carries credentials without the word Basic (Rocket.Chat 6.3.0 does so)." / "В заголовке Authorization нет слова Basic (так делает Rocket.Chat 6.3.0).";
    CodeUnknown = "code_unknown": "No such authorization code was issued, or its grant has been removed." / "Такой код не выдавался, либо его грант уже удалён.";
    CodeReused = "code_reused": "The code had been redeemed before; everything issued for it has been revoked." / "Код уже был использован; всё выданное по нему отозвано.";
    CodeExpired = "code_expired": "The code was redeemed too late." / "Код предъявлен слишком поздно.";
    CodeOfAnotherClient = "code_of_another_client": "The code was issued to another client." / "Код выдан другому клиенту.";
    CodeRevoked = "code_revoked": "The grant behind the code has been revoked." / "Грант этого кода отозван.";
    CodeRedirectUriMismatch = "code_redirect_uri_mismatch": "The token request names another redirect URI than the authorization request did." / "В запросе токена другой адрес возврата, чем был в запросе авторизации.";
    PkceMismatch = "pkce_mismatch": "The code verifier does not match the challenge." / "code_verifier не соответствует вызову.";
    PkceMissing = "pkce_missing": "The code was asked with a challenge but redeemed without a verifier." / "Код запрошен с PKCE-вызовом, а предъявлен без code_verifier.";
    PkceUnexpected = "pkce_unexpected": "A verifier came for a code that was asked without a challenge." / "Прислан code_verifier для кода, запрошенного без вызова.";
    RefreshUnknown = "refresh_unknown": "This is not a refresh token of this server." / "Это не refresh-токен этого сервера.";
    RefreshOfAnotherClient = "refresh_of_another_client": "The refresh token was issued to another client." / "Refresh-токен выдан другому клиенту.";
    RefreshReused = "refresh_reused": "A refresh token that had been replaced came again, after the retry window or after its successor had been used; its grant has been revoked." / "Заменённый refresh-токен пришёл снова — после окна повтора или после использования сменившего его токена; его грант отозван.";
    GrantRevoked = "grant_revoked": "The grant has been revoked: signed out, withdrawn, disabled or replaced." / "Грант отозван: выход, отзыв согласия, отключение или смена пароля.";
    GrantExpired = "grant_expired": "The grant has reached its longest lifetime." / "Грант достиг предельного срока.";
    TokenMissing = "token_missing": "The request carries no access token." / "В запросе нет токена доступа.";
    TokenInTwoPlaces = "token_in_two_places": "The access token was sent in two ways at once." / "Токен доступа прислан двумя способами сразу.";
    TokenInQuery = "token_in_query": "The token travels in the query string, which this client is not allowed." / "Токен передан в строке запроса, а этому клиенту это не разрешено.";
    TokenMalformed = "token_malformed": "What was sent is not a JWT." / "Присланное не является JWT.";
    TokenWrongType = "token_wrong_type": "The JWT is of another kind, for example an ID token." / "Это JWT другого вида, например ID-токен.";
    TokenAlgorithm = "token_algorithm": "The JWT claims an algorithm that its key does not have." / "В JWT указан алгоритм, которого нет у его ключа.";
    TokenUnknownKey = "token_unknown_key": "No published key has the identifier that the JWT names." / "Ключа с указанным в JWT идентификатором нет среди опубликованных.";
    TokenBadSignature = "token_bad_signature": "The signature does not fit: the token was changed or comes from elsewhere." / "Подпись не подходит: токен изменён или выдан не здесь.";
    TokenWrongIssuer = "token_wrong_issuer": "The token was issued under another issuer." / "Токен выдан под другим issuer.";
    TokenExpired = "token_expired": "The access token has expired." / "Срок токена доступа истёк.";
    TokenNotYetValid = "token_not_yet_valid": "The token's times lie ahead of this server's clock." / "Времена в токене опережают часы этого сервера.";
    ClockSkew = "clock_skew": "The token expired by a few seconds only: the clocks of the two machines may differ." / "Токен истёк лишь на несколько секунд: возможно, часы машин расходятся.";
    TokenRevoked = "token_revoked": "The token or its grant has been revoked." / "Токен или его грант отозван.";
    TokenUserDisabled = "token_user_disabled": "The account behind the token is disabled or removed." / "Учётная запись отключена или удалена.";
    TokenOfAnotherClient = "token_of_another_client": "The token was issued to another client than the identity path names." / "Токен выдан не тому клиенту, который назван в пути.";
    RevokeOfAnotherClient = "revoke_of_another_client": "A client asked to revoke a token that was issued to another client; the token still counts." / "Клиент попросил отозвать токен, выданный другому клиенту; токен продолжает действовать.";
    TokenWithoutOpenid = "token_without_openid": "The token's scope lacks openid, so it cannot be shown at userinfo." / "В области токена нет openid, поэтому userinfo его не принимает.";
    TokenWithoutScope = "token_without_scope": "The token is not a client's own, or lacks the scope that this API asks for." / "Токен выдан не самому клиенту, либо в нём нет области, которую требует этот API.";
    IntrospectNotAllowed = "introspect_not_allowed": "The client may not introspect tokens." / "Клиенту не разрешена интроспекция.";
    LostCookie = "lost_cookie": "The form came back without the cookie of the browser that opened it." / "Форма пришла без cookie того браузера, который её открыл.";
    ForeignOrigin = "foreign_origin": "The form was posted from another origin." / "Форма отправлена с другого сайта.";
    FlowExpired = "flow_expired": "The sign-in page had been open for too long." / "Страница входа была открыта слишком долго.";
    FlowBroken = "flow_broken": "The sign-in parameter was damaged or sealed by another installation." / "Параметр входа повреждён или запечатан другой установкой.";
    UnknownUser = "unknown_user": "Nobody has this sign-in name." / "Такого имени для входа нет.";
    WrongPassword = "wrong_password": "The password is wrong." / "Неверный пароль.";
    UserDisabled = "user_disabled": "The account is disabled." / "Учётная запись отключена.";
    LoginThrottled = "login_throttled": "Too many failed sign-ins; the next attempt has to wait." / "Слишком много неудачных входов; нужно подождать.";
    WeakPassword = "weak_password": "The new password is too short or too easy to guess." / "Новый пароль слишком короткий, либо его легко угадать.";
    PasswordLinkDead = "password_link_dead": "The link to set a password was damaged, used before or too old." / "Ссылка для нового пароля повреждена, уже использована или устарела.";
    MailLinkDead = "mail_link_dead": "The link from a mail was damaged, used before, too old, or ended by a later change." / "Ссылка из письма повреждена, уже использована, устарела или отменена более поздним изменением.";
    MailLinkForeign = "mail_link_foreign": "The link from a mail was opened in a browser in which somebody else is signed in." / "Ссылка из письма открыта в браузере, где вошёл другой человек.";
    HashQueueFull = "hash_queue_full": "More sign-ins wait than the machine can hash in time." / "Входов больше, чем машина успевает проверить.";
    LogoutHintInvalid = "logout_hint_invalid": "The id_token_hint is not an ID token of this server." / "id_token_hint не является ID-токеном этого сервера.";
    LogoutNotDelivered = "logout_not_delivered": "The client did not take the logout token: it did not answer, or refused it." / "Клиент не принял logout-токен: не ответил или отказал.";
    PostLogoutUriMismatch = "post_logout_uri_mismatch": "The post-logout redirect URI is not registered for the client." / "Адрес возврата после выхода не зарегистрирован у клиента.";
    RoleValueWithComma = "role_value_with_comma": "A role value with a comma would be torn apart by its reader." / "Значение роли с запятой будет разорвано читателем.";
    NameTaken = "name_taken": "The name already belongs to somebody or something else." / "Это имя уже занято.";
    InvalidName = "invalid_name": "The name has characters that it may not have, or is too long." / "В имени есть недопустимые знаки, либо оно слишком длинное.";
    InvalidSetting = "invalid_setting": "The value does not fit the setting." / "Значение не подходит для этой настройки.";
    InvalidRedirectUri = "invalid_redirect_uri": "This address cannot be registered as a redirect URI." / "Такой адрес нельзя зарегистрировать как адрес возврата.";
    UnknownRole = "unknown_role": "The site has no such role." / "Такой роли на сайте нет.";
    UnknownRoleMap = "unknown_role_map": "There is no role map of this name." / "Карты ролей с таким именем нет.";
    UnknownSession = "unknown_session": "There is no live session with this identifier." / "Действующего сеанса с таким идентификатором нет.";
    UnknownReference = "unknown_reference": "No refusal with this reference is kept." / "Отказа с такой ссылкой в хранилище нет.";
    ChatNotConnected = "chat_not_connected": "Nobody has said where the chat is." / "Не указано, где находится чат.";
    ChatAccountForeign = "chat_account_foreign": "The chat has an account of this name that is not certainly the person's." / "В чате есть учётная запись с таким именем, и неизвестно, принадлежит ли она этому человеку.";
    ChatChannelNotGiven = "chat_channel_not_given": "The channel is looked after, and none of the person's groups gives it." / "Канал под управлением, и ни одна из групп человека его не даёт.";
    ChatAccountInactive = "chat_account_inactive": "The person's account is switched off in the chat, or waits to be approved there." / "Учётная запись человека отключена в чате или ждёт там одобрения.";
    ChatUnavailable = "chat_unavailable": "The chat did not answer, answered nonsense, or asked for patience." / "Чат не ответил, ответил чем-то невнятным или попросил подождать.";
    ChatRefused = "chat_refused": "The chat refuses what the connector asks: its token was revoked, its account lacks a permission, or the secret for login tokens is another." / "Чат отказывает коннектору: его токен отозван, его учётной записи не хватает права, или секрет для токенов входа другой.";
    UnknownOutboxRow = "unknown_outbox_row": "Nothing with this identifier waits to be delivered." / "В очереди доставки нет записи с таким идентификатором.";
    StoreUnavailable = "store_unavailable": "The database or Redis did not answer in time, was locked or had no room." / "База данных или Redis не ответили вовремя, были заняты или на них нет места.";
    ServerFault = "server_fault": "Something broke on the server itself; nothing of the request was kept." / "Сломалось что-то на самом сервере; от запроса ничего не осталось.";
    ChangedSince = "changed_since": "What was to be changed has changed since the caller read it." / "То, что хотели изменить, изменилось с тех пор, как его прочли.";
    InUse = "in_use": "It is still in use." / "Это ещё используется.";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}
