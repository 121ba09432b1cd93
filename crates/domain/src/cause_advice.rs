//! What generally mends a refusal, cause by cause. A refusal's own fixes are more exact; these stand in the documentation, and before them in
//! `propusk explain`.

use crate::cause::Cause;

macro_rules! advice {
    ($($variant:ident: $english:literal / $russian:literal;)*) => {
        impl Cause {
            /// What generally mends it, in English; capital words stand for the values at hand.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $english,)* }
            }

            /// The same in Russian.
            pub const fn advice_ru(self) -> &'static str {
                match self { $(Self::$variant => $russian,)* }
            }
        }
    };
}

advice! {
    MalformedRequest: "Look at what was expected and what came, and correct it in the application's settings; a proxy must pass the request as it is." / "Сравните «ожидалось» и «пришло» и исправьте настройки приложения; прокси должен передавать запрос без изменений.";
    WrongPath: "Set the path that propusk explain names as the nearest; for Rocket.Chat: /oauth/authorize, /oauth/token, /oauth/userinfo/CLIENT_ID." / "Задайте ближайший путь из propusk explain; для Rocket.Chat: /oauth/authorize, /oauth/token, /oauth/userinfo/CLIENT_ID.";
    WrongMethod: "Send the method that the answer's Allow header names; a redirect on the way turns POST into GET." / "Используйте метод из заголовка Allow; перенаправление по дороге превращает POST в GET.";
    WrongContentType: "Let the application send its parameters as application/x-www-form-urlencoded." / "Пусть приложение отправляет параметры как application/x-www-form-urlencoded.";
    TooLarge: "Send less: shorten state and the list of scopes." / "Отправляйте меньше: сократите state и список областей.";
    UnknownClient: "Correct the client id in the application's settings, or register it: propusk client add CLIENT_ID --preset web --redirect-uri URI." / "Исправьте client id в настройках приложения или зарегистрируйте его: propusk client add CLIENT_ID --preset web --redirect-uri URI.";
    DisabledClient: "propusk client set CLIENT_ID --enable" / "propusk client set CLIENT_ID --enable";
    RedirectUriMismatch: "Register the address exactly as it came: propusk client set CLIENT_ID --add-redirect-uri URI." / "Зарегистрируйте адрес ровно таким, каким он пришёл: propusk client set CLIENT_ID --add-redirect-uri URI.";
    RedirectUriMissing: "Let the application send redirect_uri." / "Пусть приложение присылает redirect_uri.";
    ResponseTypeNotSupported: "Set the application to the authorization code flow (response_type=code)." / "Переключите приложение на authorization code flow (response_type=code).";
    GrantNotAllowed: "propusk client set CLIENT_ID --grant-type authorization_code (or the one that came), if this application may have it." / "propusk client set CLIENT_ID --grant-type authorization_code (или тот, что пришёл), если приложению это положено.";
    GrantNotSupported: "Use authorization_code, refresh_token or client_credentials." / "Используйте authorization_code, refresh_token или client_credentials.";
    ScopeNotAllowed: "Ask for less, or allow it: propusk client set CLIENT_ID --add-scope SCOPE." / "Запрашивайте меньше или разрешите: propusk client set CLIENT_ID --add-scope SCOPE.";
    PkceRequired: "Switch PKCE with S256 on in the application; for a client with a secret: propusk client set CLIENT_ID --require-pkce off." / "Включите в приложении PKCE S256; для клиента с секретом: propusk client set CLIENT_ID --require-pkce off.";
    LoginRequired: "This is an answer and no fault: send the person without prompt=none." / "Это ответ, а не поломка: отправьте человека без prompt=none.";
    ConsentRequired: "Send the person without prompt=none; a client of your own needs no consent: propusk client set CLIENT_ID --first-party." / "Отправьте человека без prompt=none; своему клиенту согласие не нужно: propusk client set CLIENT_ID --first-party.";
    AccessDenied: "Let the person begin again and allow it." / "Пусть человек начнёт снова и разрешит доступ.";
    SecretMissing: "Put the client secret into the application's settings; when it is lost: propusk client rotate-secret CLIENT_ID." / "Впишите секрет клиента в настройки приложения; если он утерян: propusk client rotate-secret CLIENT_ID.";
    SecretWrong: "Compare: propusk client check-secret CLIENT_ID < secret-file; when it is lost: propusk client rotate-secret CLIENT_ID." / "Проверьте: propusk client check-secret CLIENT_ID < secret-file; если он утерян: propusk client rotate-secret CLIENT_ID.";
    SecretIsStoredHash: "Put in the secret as it was shown, not what a database holds; when it is lost: propusk client rotate-secret CLIENT_ID." / "Впишите сам секрет, а не то, что лежит в базе; если он утерян: propusk client rotate-secret CLIENT_ID.";
    SecretNotFormDecoded: "Set Token Sent Via = Payload in Rocket.Chat, or client_secret_post in the application." / "В Rocket.Chat задайте Token Sent Via = Payload, в приложении — client_secret_post.";
    SecretHasWhitespace: "Paste the secret again without the newline; in shells use printf '%s' instead of echo." / "Вставьте секрет заново без перевода строки; в shell используйте printf '%s' вместо echo.";
    SecretExpired: "Put the newest secret into the application's settings." / "Впишите в настройки приложения новейший секрет.";
    WrongAuthMethod: "Set client_secret_basic or client_secret_post in the application, as propusk client show CLIENT_ID says." / "Задайте в приложении client_secret_basic или client_secret_post, как показывает propusk client show CLIENT_ID.";
    TwoAuthMethods: "Set one authentication method in the application's settings." / "Оставьте в настройках приложения один способ аутентификации.";
    MalformedBasic: "Set the application to client_secret_post, or correct how it builds the header." / "Переключите приложение на client_secret_post или исправьте, как оно строит заголовок.";
    MissingScheme: "Set Token Sent Via = Payload in Rocket.Chat, or upgrade it." / "В Rocket.Chat задайте Token Sent Via = Payload или обновите его.";
    CodeUnknown: "Send the code exactly as it came, decoded once, to the server that issued it; then sign in again." / "Предъявляйте код ровно таким, каким он пришёл, декодированным один раз, тому серверу, который его выдал; затем войдите снова.";
    CodeReused: "Let the application redeem a code once: not on a reload, not in a second process; then sign in again." / "Пусть приложение использует код один раз: не при перезагрузке страницы и не во втором процессе; затем войдите снова.";
    CodeExpired: "Redeem the code at once; then sign in again." / "Предъявляйте код сразу; затем войдите снова.";
    CodeOfAnotherClient: "Use one client id in both requests." / "Используйте один client id в обоих запросах.";
    CodeRevoked: "Sign in again." / "Войдите снова.";
    CodeRedirectUriMismatch: "Send the same redirect_uri in both requests; for Rocket.Chat: Site_Url and the address that people open must be the same." / "Присылайте один redirect_uri в обоих запросах; для Rocket.Chat: Site_Url и адрес, который открывают люди, должны совпадать.";
    PkceMismatch: "Keep the verifier of each sign-in apart: a second tab must not overwrite it." / "Храните code_verifier каждого входа отдельно: вторая вкладка не должна его затирать.";
    PkceMissing: "Send the code_verifier that belongs to the code_challenge." / "Присылайте code_verifier, соответствующий code_challenge.";
    PkceUnexpected: "Send code_challenge in the authorization request, too; if the application does, something on the way removes it." / "Присылайте code_challenge и в запросе авторизации; если приложение его присылает, его убирает что-то по дороге.";
    RefreshUnknown: "Sign in again; look whether the application keeps tokens of another server." / "Войдите снова; проверьте, не хранит ли приложение токены другого сервера.";
    RefreshOfAnotherClient: "Use the client id with which the person signed in." / "Используйте тот client id, с которым человек входил.";
    RefreshReused: "Let the application keep the newest refresh token and send one refresh at a time; then sign in again." / "Пусть приложение хранит новейший refresh-токен и обновляет его по одному разу; затем войдите снова.";
    GrantRevoked: "Sign in again." / "Войдите снова.";
    GrantExpired: "Sign in again; refresh.grant_lifetime says how long it lasts." / "Войдите снова; срок задаёт refresh.grant_lifetime.";
    TokenMissing: "Send Authorization: Bearer TOKEN; in Rocket.Chat: Identity Token Sent Via = Header." / "Присылайте Authorization: Bearer TOKEN; в Rocket.Chat: Identity Token Sent Via = Header.";
    TokenInTwoPlaces: "Send the token in the header alone." / "Присылайте токен только в заголовке.";
    TokenInQuery: "Set Identity Token Sent Via = Header in Rocket.Chat; if that cannot be: propusk client set CLIENT_ID --query-token on." / "В Rocket.Chat задайте Identity Token Sent Via = Header; если нельзя: propusk client set CLIENT_ID --query-token on.";
    TokenMalformed: "Send the whole access_token of the answer, unchanged." / "Присылайте access_token из ответа целиком, без изменений.";
    TokenWrongType: "Send access_token, not id_token." / "Присылайте access_token, а не id_token.";
    TokenAlgorithm: "Get a new token from this server; nobody but an attacker changes the header of a JWT." / "Получите новый токен у этого сервера; заголовок JWT меняет только злоумышленник.";
    TokenUnknownKey: "Get a new token from this server; the sender uses one of another installation, or from before its keys were lost." / "Получите новый токен у этого сервера; прежний — от другой установки или выдан до утраты ключей.";
    TokenBadSignature: "Send the token unchanged, to the server that issued it." / "Присылайте токен без изменений тому серверу, который его выдал.";
    TokenWrongIssuer: "Send the token to the server that issued it; never change the setting issuer of a running service." / "Присылайте токен тому серверу, который его выдал; не меняйте issuer у работающей службы.";
    TokenExpired: "Get a new token: refresh, or sign in again." / "Получите новый токен: обновите или войдите снова.";
    TokenNotYetValid: "Set the clocks of both machines by NTP." / "Синхронизируйте часы обеих машин по NTP.";
    ClockSkew: "Set the clocks of both machines by NTP, and refresh a little before the end." / "Синхронизируйте часы обеих машин по NTP и обновляйте токен чуть раньше срока.";
    TokenRevoked: "Sign in again." / "Войдите снова.";
    TokenUserDisabled: "propusk user enable NAME, then sign in again." / "propusk user enable NAME, затем войдите снова.";
    TokenOfAnotherClient: "Let the application sign people in with the client id of its identity path; a foreign token here is what an impersonator would send." / "Пусть приложение входит с тем client id, который стоит в его identity path; чужой токен здесь прислал бы самозванец.";
    RevokeOfAnotherClient: "Let each client revoke its own tokens; an operator revokes anything: propusk session revoke SID." / "Пусть каждый клиент отзывает свои токены; оператор отзывает любые: propusk session revoke SID.";
    TokenWithoutOpenid: "Ask for the scope openid." / "Запрашивайте область openid.";
    TokenWithoutScope: "Give the client the scope that explain names (propusk client set ID --add-scope …) and take a token of its own by client_credentials." / "Дайте клиенту область, которую назовёт explain (propusk client set ID --add-scope …), и берите его собственный токен по client_credentials.";
    IntrospectNotAllowed: "propusk client set CLIENT_ID --introspect own (or any, for an API that checks everybody's)." / "propusk client set CLIENT_ID --introspect own (или any — для API, которое проверяет чужие).";
    LostCookie: "Begin again; if it comes back, let browser and proxy keep the cookies, and open the service at one address with https." / "Начните снова; если повторяется, разрешите cookie в браузере и прокси и открывайте службу по одному адресу с https.";
    ForeignOrigin: "Open the page at its own address; issuer must be the address that people see." / "Откройте страницу по её собственному адресу; issuer должен быть адресом, который видят люди.";
    FlowExpired: "Begin again from the application." / "Начните снова из приложения.";
    FlowBroken: "Begin again from the application; all replicas need one database and one master key." / "Начните снова из приложения; всем репликам нужны одна база и один главный ключ.";
    UnknownUser: "Look for the name: propusk user list; add the person: propusk user add NAME." / "Найдите имя: propusk user list; добавьте человека: propusk user add NAME.";
    WrongPassword: "Give a new one: propusk user set-password NAME --generate-password." / "Задайте новый: propusk user set-password NAME --generate-password.";
    UserDisabled: "propusk user enable NAME" / "propusk user enable NAME";
    LoginThrottled: "Wait as long as the page says; behind a proxy set http.trusted_proxies, or everybody counts as one address. Who was guessed at: propusk audit --kind sign_in_throttled." / "Подождите, сколько сказано на странице; за прокси задайте http.trusted_proxies, иначе все считаются одним адресом. Кого пытались угадать: propusk audit --kind sign_in_throttled.";
    WeakPassword: "Choose a longer password of several words; password.min_length and password.min_score say what is asked." / "Выберите пароль длиннее, из нескольких слов; требования задают password.min_length и password.min_score.";
    PasswordLinkDead: "Make another link: propusk user set-password NAME --link; with a mail server the person asks for one on the sign-in page." / "Сделайте новую ссылку: propusk user set-password NAME --link; если настроена почта, человек просит её сам на странице входа.";
    MailLinkDead: "Ask for another link where this one was asked for: at /account, or at /register." / "Запросите новую ссылку там же, где и эту: на /account или на /register.";
    MailLinkForeign: "Sign out, or open the link in another browser." / "Выйдите или откройте ссылку в другом браузере.";
    HashQueueFull: "Try again in a moment; if it lasts, give the machine more cores or lower password.memory_kib." / "Повторите чуть позже; если не проходит, добавьте ядер или уменьшите password.memory_kib.";
    LogoutHintInvalid: "Send the newest ID token of this server as id_token_hint, or none." / "Присылайте новейший ID-токен этого сервера как id_token_hint или не присылайте его.";
    LogoutNotDelivered: "Look whether this machine reaches the client's back-channel logout URI, and into the client's log; it is tried again, at once with: propusk outbox retry ID." / "Проверьте, доступен ли с этой машины адрес back-channel logout клиента, и посмотрите в его журнал; попытка повторится, а сразу — propusk outbox retry ID.";
    PostLogoutUriMismatch: "propusk client set CLIENT_ID --add-post-logout-redirect-uri URI" / "propusk client set CLIENT_ID --add-post-logout-redirect-uri URI";
    RoleValueWithComma: "Name the role without a comma in the role map." / "Назовите роль в карте ролей без запятой.";
    NameTaken: "Choose another name, or find who has it: propusk user list." / "Выберите другое имя или найдите, у кого оно: propusk user list.";
    InvalidName: "Choose a name as the message describes it." / "Выберите имя по правилам из сообщения.";
    InvalidSetting: "Set the value as the message describes it; deploy/propusk.toml lists every key." / "Задайте значение по правилам из сообщения; все ключи — в deploy/propusk.toml.";
    InvalidRedirectUri: "Register an absolute https URI without a fragment; http only for this machine's own addresses." / "Регистрируйте абсолютный https-адрес без фрагмента; http — только для адресов этой же машины.";
    UnknownRole: "Give a role that exists, or declare it in a file for propusk apply." / "Назначьте существующую роль или объявите её в файле для propusk apply.";
    UnknownRoleMap: "Name a role map that exists, or declare it in a file for propusk apply." / "Назовите существующую карту ролей или объявите её в файле для propusk apply.";
    UnknownSession: "propusk session list shows those that live." / "Действующие сеансы показывает propusk session list.";
    UnknownReference: "propusk explain without an argument lists those that are kept; retention.refusals says how long." / "propusk explain без аргумента показывает сохранённые; срок задаёт retention.refusals.";
    StoreUnavailable: "Ask /readyz which part does not answer; start it again, give it room, or end whatever locks it." / "Спросите /readyz, какая часть не отвечает; перезапустите её, освободите место или завершите того, кто её блокирует.";
    ServerFault: "Find the line of the log with this reference: it names the failure." / "Найдите в журнале строку с этой ссылкой: в ней названа ошибка.";
    InUse: "Take it away from whoever uses it first, as the message says." / "Сначала уберите его у тех, кто им пользуется, — сообщение называет их.";
    ChatNotConnected: "propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin, or the settings rocketchat.url, user_id and token_file." / "propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin, либо настройки rocketchat.url, user_id и token_file.";
    ChatAccountForeign: "Let the person sign in to the chat once by the button, or give the account there the person's verified address." / "Пусть человек один раз войдёт в чат по кнопке, либо задайте той учётной записи подтверждённый адрес человека.";
    ChatChannelNotGiven: "Give the person a role whose groups have the channel, or take the channel out of rocketchat.channels." / "Дайте человеку роль, в группах которой есть канал, или уберите канал из rocketchat.channels.";
    ChangedSince: "Read the person again, look at what is there now, and repeat the change with the new tag in If-Match." / "Прочитайте человека заново, посмотрите, что там теперь, и повторите изменение с новым тегом в If-Match.";
    ChatAccountInactive: "Switch the account on in the chat's administration (Workspace > Users), or leave it as it is." / "Включите учётную запись в администрировании чата (Рабочее пространство > Пользователи) или оставьте как есть.";
    ChatUnavailable: "Look whether this machine reaches the chat and whether the chat is well: propusk rocketchat doctor." / "Проверьте, достижим ли чат с этой машины и здоров ли он: propusk rocketchat doctor.";
    ChatRefused: "propusk rocketchat doctor says which; a new token is kept by propusk rocketchat connect." / "propusk rocketchat doctor скажет, что именно; новый токен сохраняет propusk rocketchat connect.";
    UnknownOutboxRow: "propusk outbox list shows what waits." / "propusk outbox list показывает, что ждёт.";
}
