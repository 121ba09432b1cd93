//! What each finding of the doctor means and what mends it in general, in both languages: `--lang ru` and the documentation read it. A finding
//! itself is more exact: it names the values at hand.

use crate::trace::diagnosis::Language;

macro_rules! guide {
    ($($group:ident = $heading:literal / $heading_ru:literal { $($slug:literal: $english:literal / $russian:literal; $fix:literal / $fix_ru:literal)* })*) => {
        /// What a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Topic {
            $(#[doc = $heading] $group,)*
        }

        impl Topic {
            /// Every topic.
            pub const ALL: &'static [Self] = &[$(Self::$group,)*];

            /// Its heading.
            pub const fn heading(self, language: Language) -> &'static str {
                match (self, language) { $((Self::$group, Language::English) => $heading, (Self::$group, Language::Russian) => $heading_ru,)* }
            }
        }

        /// Every finding that there can be, by topic.
        pub const GUIDE: &[Entry] = &[$($(
            Entry { slug: $slug, topic: Topic::$group, explanation: [$english, $russian], fix: [$fix, $fix_ru] },
        )*)*];
    };
}

/// What is known about one kind of finding.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its stable name.
    pub slug: &'static str,
    /// What it is about.
    pub topic: Topic,
    explanation: [&'static str; 2],
    fix: [&'static str; 2],
}

impl Entry {
    /// What it means.
    pub const fn explanation(&self, language: Language) -> &'static str {
        let [english, russian] = self.explanation;
        match language {
            Language::English => english,
            Language::Russian => russian,
        }
    }

    /// What mends it; words in capitals stand for the values at hand.
    pub const fn fix(&self, language: Language) -> &'static str {
        let [english, russian] = self.fix;
        match language {
            Language::English => english,
            Language::Russian => russian,
        }
    }
}

/// The entry of that finding.
pub fn entry(slug: &str) -> Option<&'static Entry> {
    GUIDE.iter().find(|entry| entry.slug == slug)
}

guide! {
    Client = "The client here" / "Клиент здесь" {
        "client_disabled": "The client is switched off here, so every sign-in is refused." /
            "Клиент здесь отключён, поэтому любой вход отклоняется.";
            "propusk client set CLIENT_ID --enable" / "propusk client set CLIENT_ID --enable"
        "client_public": "The client has no secret here, and Rocket.Chat always sends one." /
            "У клиента здесь нет секрета, а Rocket.Chat всегда его присылает.";
            "Register the client anew with --preset rocket-chat." / "Зарегистрируйте клиента заново с --preset rocket-chat."
        "client_requires_pkce": "The client must send a PKCE challenge, and neither the legacy flow nor the mobile app does." /
            "Клиент обязан присылать PKCE, а старый поток и мобильное приложение его не присылают.";
            "propusk client set CLIENT_ID --require-pkce off" / "propusk client set CLIENT_ID --require-pkce off"
        "client_asks_consent": "Consent is asked at the first sign-in: a silent one stops at the question." /
            "При первом входе спрашивается согласие: тихий вход останавливается на вопросе.";
            "propusk client set CLIENT_ID --first-party" / "propusk client set CLIENT_ID --first-party"
        "client_not_rocket_chat": "The client is not told what Rocket.Chat needs; it may even be told addresses that nobody has verified, which the chat takes for verified." /
            "Клиенту сообщается не то, что нужно Rocket.Chat, в том числе неподтверждённые адреса, которые чат считает подтверждёнными.";
            "Register the client anew with --preset rocket-chat." / "Зарегистрируйте клиента заново с --preset rocket-chat."
        "client_scope": "The client may not ask for openid, without which the identity path answers nothing." /
            "Клиенту не разрешён openid, без которого identity path ничего не отвечает.";
            "propusk client set CLIENT_ID --add-scope openid" / "propusk client set CLIENT_ID --add-scope openid"
        "redirect_uri_not_registered": "No redirect URI of the client belongs to the chat's address: its sign-ins are refused with redirect_uri_mismatch." /
            "Ни один адрес возврата клиента не принадлежит адресу чата: вход отклоняется с redirect_uri_mismatch.";
            "propusk client set CLIENT_ID --add-redirect-uri https://chat.example.org/_oauth/NAME" / "propusk client set CLIENT_ID --add-redirect-uri https://chat.example.org/_oauth/NAME"
        "role_map_not_of_chat": "The role map passes the site's own roles on, which Rocket.Chat does not know." /
            "Карта ролей передаёт роли сайта, которых Rocket.Chat не знает.";
            "propusk client set CLIENT_ID --role-map rocket-chat" / "propusk client set CLIENT_ID --role-map rocket-chat"
        "role_map_gives_admin": "The role map gives a role below owner the chat's full administration. It is the documented mapping; if it is more than you want, map the role to moderator." /
            "Карта ролей даёт роли ниже owner полную администрацию чата. Это документированное соответствие; если это слишком много, сопоставьте роль с moderator.";
            "propusk apply FILE, with moderator = [\"moderator\"] in the role map." / "propusk apply FILE, где в карте ролей moderator = [\"moderator\"]."
        "role_unknown_in_chat": "The role map names a role that the chat does not have; Rocket.Chat silently ignores it." /
            "Карта ролей называет роль, которой в чате нет; Rocket.Chat молча её пропускает.";
            "Make the role in the chat, or take it out of the role map." / "Создайте роль в чате или уберите её из карты ролей."
        "group_reserved": "The role map names a group that can never be a channel: Rocket.Chat keeps the name for itself." /
            "Карта ролей называет группу, которая не может стать каналом: имя занято самим Rocket.Chat.";
            "Rename the group in the role map." / "Переименуйте группу в карте ролей."
        "email_not_verified": "People without a verified address: the chat is told none, and with a second factor or an allowed domain they cannot sign in." /
            "У людей нет подтверждённого адреса: чату он не сообщается, а при втором факторе или списке доменов войти нельзя.";
            "propusk user set NAME --email ADDRESS" / "propusk user set NAME --email ADDRESS"
    }
    Provider = "The provider in the chat" / "Служба входа в чате" {
        "provider_missing": "The chat offers no service that points here: its login page has no button." /
            "В чате нет службы, ведущей сюда: на странице входа нет кнопки.";
            "propusk rocketchat settings --chat-url https://chat.example.org --apply --admin-user NAME" / "propusk rocketchat settings --chat-url https://chat.example.org --apply --admin-user NAME"
        "provider_disabled": "The provider is switched off: the login page has no button." /
            "Служба выключена: на странице входа нет кнопки.";
            "Set Enable to true." / "Задайте Enable: true."
        "unlicensed_nine": "From 9.0 on, Custom OAuth needs a licence with the module oauth-enterprise: the switch reads off, and the button is gone." /
            "С 9.0 Custom OAuth требует лицензии с модулем oauth-enterprise: переключатель читается как выключенный, кнопки нет.";
            "Stay on 8.x, buy the licence, or sign people in without a button: propusk rocketchat settings --chat-url https://chat.example.org --silent --without-provider --apply --admin-user NAME." / "Останьтесь на 8.x, купите лицензию или впускайте людей без кнопки: propusk rocketchat settings --chat-url https://chat.example.org --silent --without-provider --apply --admin-user NAME."
        "button_hidden": "The button is hidden, so nobody finds the way in." /
            "Кнопка скрыта, и никто не находит вход.";
            "Set Show Button on Login Page to true." / "Задайте Show Button on Login Page: true."
        "two_providers": "Two providers point here, with client ids of their own: one person becomes two accounts." /
            "Сюда ведут две службы с разными client id: один человек становится двумя учётными записями.";
            "Keep one of them." / "Оставьте одну."
        "lower_case_twin": "Settings of the same service stand there twice, in two spellings: whichever Rocket.Chat reads last wins." /
            "Настройки одной службы записаны дважды, в двух написаниях: побеждает та, что прочитана последней.";
            "Delete the settings in lower case from the chat's database." / "Удалите из базы чата настройки в нижнем регистре."
        "lower_case_name": "The ids are written in lower case: role mapping and the modern flow never see them." /
            "Идентификаторы записаны в нижнем регистре: сопоставление ролей и новый поток их не видят.";
            "propusk rocketchat settings --chat-url https://chat.example.org --apply --admin-user NAME" / "propusk rocketchat settings --chat-url https://chat.example.org --apply --admin-user NAME"
        "invented_setting": "Rocket.Chat has no such setting and never reads it." /
            "Такой настройки в Rocket.Chat нет, и он её не читает.";
            "Delete it; the doctor names the one that is meant." / "Удалите её; doctor назовёт ту, что имелась в виду."
        "boolean_as_text": "A switch holds text, and every text but the empty one counts as on: \"false\", too." /
            "В переключателе текст, а любой непустой текст считается включённым, даже \"false\".";
            "Set it as a boolean." / "Задайте логическое значение."
        "list_as_array": "The setting wants text; a list is never read." /
            "Настройке нужен текст; список не читается.";
            "Set it as text, separated by commas." / "Задайте текст через запятую."
        "loopback_url": "The address is this machine's own, and in a container that is the chat itself." /
            "Адрес ведёт на саму машину, а в контейнере это сам чат.";
            "Set URL to the issuer." / "Задайте URL: issuer."
        "url_trailing_slash": "The address ends in a slash, and Rocket.Chat puts paths behind it as they are: every request has two." /
            "Адрес кончается косой чертой, а Rocket.Chat дописывает пути как есть: в каждом запросе их две.";
            "Set URL to the issuer, without the slash." / "Задайте URL: issuer без косой черты."
        "http_behind_https": "The address says http where this server is reached by https: passwords and tokens travel in the clear, and cookies are lost." /
            "В адресе http, хотя сервер доступен по https: пароли и токены идут открыто, cookie теряются.";
            "Set URL to the issuer." / "Задайте URL: issuer."
        "url_mismatch": "The chat asks another address than this server's issuer." /
            "Чат обращается не к issuer этого сервера.";
            "Set URL to the issuer." / "Задайте URL: issuer."
        "absolute_path": "The modern flow puts the address before the path whatever it is: an absolute path makes an address that does not exist." /
            "Новый поток всегда ставит адрес перед путём: из абсолютного пути выходит несуществующий адрес.";
            "Set the path alone: /oauth/authorize, /oauth/token." / "Задайте только путь: /oauth/authorize, /oauth/token."
        "path_wrong": "A path does not exist here." /
            "По указанному пути здесь ничего нет.";
            "Authorize Path /oauth/authorize, Token Path /oauth/token, Identity Path /oauth/userinfo/CLIENT_ID." / "Authorize Path /oauth/authorize, Token Path /oauth/token, Identity Path /oauth/userinfo/CLIENT_ID."
        "path_elsewhere": "A path is the address of another server: the client's secret, codes and tokens go there." /
            "Вместо пути указан адрес другого сервера: туда уходят секрет клиента, коды и токены.";
            "Set the path alone: /oauth/authorize, /oauth/token, /oauth/userinfo/CLIENT_ID." / "Задайте только путь: /oauth/authorize, /oauth/token, /oauth/userinfo/CLIENT_ID."
        "paths_swapped": "Token path and identity path are swapped." /
            "Token Path и Identity Path перепутаны.";
            "Token Path /oauth/token, Identity Path /oauth/userinfo/CLIENT_ID." / "Token Path /oauth/token, Identity Path /oauth/userinfo/CLIENT_ID."
        "token_sent_via": "By header the credentials go differently in the legacy and the modern flow." /
            "При header данные клиента идут по-разному в старом и новом потоке.";
            "Set Token Sent Via to payload." / "Задайте Token Sent Via: payload."
        "identity_path_open": "The identity path answers for the tokens of every client: any other application could sign in to the chat as its visitors." /
            "Identity Path отвечает на токены любых клиентов: другое приложение могло бы войти в чат от имени своих посетителей.";
            "Set Identity Path to /oauth/userinfo/CLIENT_ID." / "Задайте Identity Path: /oauth/userinfo/CLIENT_ID."
        "identity_path_of_another_client": "The identity path is the one of another client: every sign-in is refused there." /
            "Identity Path принадлежит другому клиенту: любой вход там отклоняется.";
            "Set Identity Path to /oauth/userinfo/CLIENT_ID." / "Задайте Identity Path: /oauth/userinfo/CLIENT_ID."
        "identity_token_in_query": "The access token travels in the query string, where logs and proxies keep it." /
            "Токен доступа идёт в строке запроса, где его сохраняют журналы и прокси.";
            "Set Identity Token Sent Via to header." / "Задайте Identity Token Sent Via: header."
        "access_token_param": "In the query string the token has a name that this server does not read." /
            "В строке запроса у токена имя, которое сервер не читает.";
            "Set Param Name for access token to access_token." / "Задайте Param Name for access token: access_token."
        "client_id_mismatch": "The chat uses another client id than the one that is registered for it." /
            "Чат использует не тот client id, который для него зарегистрирован.";
            "Set Id to the client's identifier." / "Задайте Id: идентификатор клиента."
        "secret_missing": "The chat has no secret: the token request is refused with invalid_client." /
            "В чате нет секрета: запрос токена отклоняется с invalid_client.";
            "propusk rocketchat settings --chat-url https://chat.example.org --apply --admin-user NAME --rotate-secret" / "propusk rocketchat settings --chat-url https://chat.example.org --apply --admin-user NAME --rotate-secret"
        "secret_whitespace": "White space was pasted with the secret: the token request is refused with invalid_client." /
            "Вместе с секретом вставлены пробелы: запрос токена отклоняется с invalid_client.";
            "Paste the secret again without them." / "Вставьте секрет заново без них."
        "secret_wrong": "The chat's secret is none of the client's: the token request is refused with invalid_client." /
            "Секрет в чате не от этого клиента: запрос токена отклоняется с invalid_client.";
            "propusk rocketchat settings --chat-url https://chat.example.org --apply --admin-user NAME --rotate-secret" / "propusk rocketchat settings --chat-url https://chat.example.org --apply --admin-user NAME --rotate-secret"
        "scope_without_openid": "The scope lacks openid, so the identity path refuses the token." /
            "В Scope нет openid, поэтому Identity Path не принимает токен.";
            "Set Scope to: openid profile email roles." / "Задайте Scope: openid profile email roles."
        "scope_not_allowed": "The client may not ask for one of these scopes, so every sign-in is refused with invalid_scope." /
            "Одна из областей клиенту не разрешена, поэтому любой вход отклоняется с invalid_scope.";
            "Set Scope to: openid profile email roles." / "Задайте Scope: openid profile email roles."
        "username_field": "The username comes from a field that is not told or changes, or from none: the sign-in fails, or asks everybody to choose a name." /
            "Имя берётся из поля, которого нет или которое меняется, либо ниоткуда: вход не удаётся или просит выбрать имя.";
            "Set Username field to preferred_username." / "Задайте Username field: preferred_username."
        "email_field_set": "Whoever has no verified address cannot sign in: \"Failed to extract email\". Empty, the claim email is used where it is told." /
            "Без подтверждённого адреса войти нельзя: «Failed to extract email». Если поле пусто, берётся claim email, когда он есть.";
            "Leave Email field empty." / "Оставьте Email field пустым."
        "name_field": "The name comes from a field that is not told: usernames stand in its place." /
            "Имя берётся из поля, которого нет: вместо него стоит username.";
            "Set Name field to name." / "Задайте Name field: name."
        "key_field": "Accounts are matched by address: whoever takes an old one over becomes its owner." /
            "Учётные записи сопоставляются по адресу: кто получит чужой старый адрес, станет его владельцем.";
            "Set Key Field to username." / "Задайте Key Field: username."
        "merge_users_off": "Whoever changes name or address here is locked out there: \"User with username … already exists\"." /
            "Кто сменит здесь имя или адрес, не войдёт в чат: «User with username … already exists».";
            "Switch Merge users on." / "Включите Merge users."
        "distinct_services_on": "Any account of the same username is taken over, whichever service it came from: right while accounts are being moved, and a danger afterwards." /
            "Присваивается любая учётная запись с тем же именем, из какой бы службы она ни была: годится на время переезда, потом опасно.";
            "Switch Merge users from distinct services off." / "Выключите Merge users from distinct services."
        "roles_claim_wrong": "The roles are looked for under a name that is not told: they count as none, and every role to sync is taken away." /
            "Роли ищутся под именем, которого нет: их будто нет, и все синхронизируемые роли снимаются.";
            "Set Roles/Groups field name to roles." / "Задайте Roles/Groups field name: roles."
        "groups_claim_wrong": "The groups are looked for under a name that is not told." /
            "Группы ищутся под именем, которого нет.";
            "Set Roles/Groups field name for channel mapping to groups." / "Задайте Roles/Groups field name for channel mapping: groups."
        "roles_need_licence": "Roles from the identity need a licence: without it the switch has no effect. The connector keeps roles right without one." /
            "Роли из SSO требуют лицензии: без неё переключатель не действует. Коннектор держит роли и без неё.";
            "Switch Merge Roles from SSO off." / "Выключите Merge Roles from SSO."
        "roles_to_sync_empty": "Merge roles is on, and the list of roles to sync is empty: nothing is ever given or taken." /
            "Объединение ролей включено, а список пуст: ничего не выдаётся и не снимается.";
            "Set Roles to Sync to the chat's roles of the role map." / "Задайте Roles to Sync: роли чата из карты ролей."
        "roles_to_sync_user": "The role user is to be synchronised: whoever is not told it loses it, and with it the right to write." /
            "Синхронизируется роль user: у кого её нет в ответе, тот теряет её и право писать.";
            "Take user out of Roles to Sync." / "Уберите user из Roles to Sync."
        "roles_to_sync_form": "The roles to sync are separated by commas; this names a single role that does not exist." /
            "Роли перечисляются через запятую; сейчас это одна несуществующая роль.";
            "Separate them by commas." / "Разделите их запятыми."
        "roles_to_sync_unknown": "A role to sync does not exist in the chat: it is ignored." /
            "Синхронизируемой роли в чате нет: она пропускается.";
            "Make the role in the chat, or take it out." / "Создайте роль в чате или уберите её."
        "channels_admin_list": "The owner of new channels is one username; a list of roles names nobody, and no channel is made." /
            "Владелец новых каналов — одно имя; список ролей никого не называет, и каналы не создаются.";
            "Set it to one username of the chat." / "Задайте одно имя пользователя чата."
        "channel_map_invalid": "The channel map is no JSON object, so nothing is mapped." /
            "Карта каналов — не объект JSON, поэтому ничего не сопоставляется.";
            "Set it to {} or to a JSON object." / "Задайте {} или объект JSON."
        "channel_map_sample": "The channel map is the sample that Rocket.Chat comes with: its channels are made at the first sign-in of anybody." /
            "Карта каналов — пример из Rocket.Chat: его каналы создаются при первом же входе.";
            "Set it to {}." / "Задайте {}."
        "channel_reserved": "The channel map names a channel that Rocket.Chat keeps for itself." /
            "Карта каналов называет канал, занятый самим Rocket.Chat.";
            "Take it out of the map." / "Уберите его из карты."
    }
    Workspace = "Other settings of the chat" / "Остальные настройки чата" {
        "second_factor_on_top": "Half an hour after its first sign-in every account is asked for a code by e-mail on top of the sign-in here." /
            "Через полчаса после первого входа у каждого спрашивают ещё и код по почте.";
            "Set Accounts_twoFactorAuthentication_email_available_for_OAuth_users to false." / "Задайте Accounts_twoFactorAuthentication_email_available_for_OAuth_users: false."
        "username_change_allowed": "People may rename themselves in the chat, and the next sign-in no longer finds them by their username." /
            "Люди могут переименоваться в чате, и следующий вход не найдёт их по имени.";
            "Set Accounts_AllowUsernameChange to false." / "Задайте Accounts_AllowUsernameChange: false."
        "email_change_allowed": "People may change their address in the chat, and the next sign-in puts the old one back." /
            "Люди могут сменить адрес в чате, а следующий вход вернёт старый.";
            "Set Accounts_AllowEmailChange to false." / "Задайте Accounts_AllowEmailChange: false."
        "password_change_allowed": "People may set a password in the chat, which stays valid when their account here is disabled." /
            "Люди могут задать пароль в чате, и он останется действовать, когда учётную запись здесь отключат.";
            "Set Accounts_AllowPasswordChangeForOAuthUsers to false." / "Задайте Accounts_AllowPasswordChangeForOAuthUsers: false."
        "registration_off": "Nobody who has no account in the chat yet can sign in: \"registration-disabled-authentication-services\"." /
            "Кто ещё не заведён в чате, войти не может: «registration-disabled-authentication-services».";
            "Set Accounts_Registration_AuthenticationServices_Enabled to true." / "Задайте Accounts_Registration_AuthenticationServices_Enabled: true."
        "manual_approval": "Everybody has to be approved by hand after the first sign-in: \"error-user-is-not-activated\"." /
            "Каждого надо одобрять вручную после первого входа: «error-user-is-not-activated».";
            "Set Accounts_ManuallyApproveNewUsers to false." / "Задайте Accounts_ManuallyApproveNewUsers: false."
        "registration_open": "Anybody may register in the chat itself, past the site, and take usernames of people who have not come yet." /
            "Любой может зарегистрироваться в самом чате, мимо сайта, и занять имена тех, кто ещё не пришёл.";
            "Set Accounts_RegistrationForm to Disabled." / "Задайте Accounts_RegistrationForm: Disabled."
        "domain_list": "Only addresses of these domains may come: everybody else is refused with \"error-invalid-domain\"." /
            "Войти могут только адреса этих доменов, остальные получают «error-invalid-domain».";
            "Leave Accounts_AllowedDomainsList empty." / "Оставьте Accounts_AllowedDomainsList пустым."
        "site_url_http": "The chat believes that it is reached by http although it is reached by https: its redirect URI is wrong, and its cookies are lost." /
            "Чат считает, что открыт по http, хотя открыт по https: адрес возврата неверен, cookie теряются.";
            "Set Site_Url to the https address." / "Задайте Site_Url: адрес с https."
        "site_url_mismatch": "The chat takes another address for its own, and builds its redirect URI from that." /
            "Чат считает своим другой адрес и строит из него адрес возврата.";
            "Set Site_Url to the address that people open." / "Задайте Site_Url: адрес, который открывают люди."
        "site_url_path": "The modern flow loses the path of the chat's address on the way back." /
            "Новый поток теряет путь адреса чата на обратном пути.";
            "Give the chat a host name of its own." / "Дайте чату отдельное имя узла."
        "iframe_incomplete": "Sign-in by iframe is on, and one of its four settings is empty: Rocket.Chat then leaves it off." /
            "Вход через iframe включён, но одна из четырёх настроек пуста: тогда Rocket.Chat его не включает.";
            "propusk rocketchat settings --chat-url https://chat.example.org --silent --apply --admin-user NAME" / "propusk rocketchat settings --chat-url https://chat.example.org --silent --apply --admin-user NAME"
        "iframe_address": "Sign-in by iframe asks an address that is not this server's." /
            "Вход через iframe обращается к адресу не этого сервера.";
            "propusk rocketchat settings --chat-url https://chat.example.org --silent --apply --admin-user NAME" / "propusk rocketchat settings --chat-url https://chat.example.org --silent --apply --admin-user NAME"
        "iframe_any_origin": "Every page that embeds the chat may command it or listen to it." /
            "Любая страница, встроившая чат, может им управлять или слушать его.";
            "Set the origin of your site in place of the asterisk." / "Задайте origin своего сайта вместо звёздочки."
        "connector_missing": "The chat asks here for the person who is signed in, and no chat is connected here: nobody comes in without a button." /
            "Чат спрашивает здесь, кто вошёл, но здесь чат не подключён: без кнопки никто не войдёт.";
            "propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin" / "propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin"
        "connector_elsewhere": "Another chat is connected here than the one that asks, so its questions are answered with 403." /
            "Здесь подключён другой чат, и на вопросы этого отвечает 403.";
            "propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin" / "propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin"
        "connector_refused": "The chat does not take the administrator's token that is kept here, so it signs nobody in and keeps no role right." /
            "Чат не принимает сохранённый здесь токен администратора: ни входа без кнопки, ни ролей.";
            "propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin" / "propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin"
        "token_secret_missing": "The chat makes login tokens only for who knows its CREATE_TOKENS_FOR_USERS_SECRET, and none is set here: nobody comes in without a button." /
            "Токены входа чат выдаёт лишь тому, кто знает его CREATE_TOKENS_FOR_USERS_SECRET, а здесь он не задан: без кнопки никто не войдёт.";
            "Set rocketchat.create_token_secret_file here, and CREATE_TOKENS_FOR_USERS_SECRET of the chat to what the file holds." / "Задайте здесь rocketchat.create_token_secret_file, а в чате CREATE_TOKENS_FOR_USERS_SECRET с содержимым этого файла."
        "token_secret_wrong": "The chat refuses to make login tokens: its CREATE_TOKENS_FOR_USERS_SECRET is another one, or the administrator lacks the permission user-generate-access-token." /
            "Чат отказывается выдавать токены входа: его CREATE_TOKENS_FOR_USERS_SECRET другой, либо у администратора нет права user-generate-access-token.";
            "Set CREATE_TOKENS_FOR_USERS_SECRET of the chat to what rocketchat.create_token_secret_file holds, and restart the chat." / "Задайте в чате CREATE_TOKENS_FOR_USERS_SECRET с содержимым rocketchat.create_token_secret_file и перезапустите чат."
        "connector_rights": "The connector's account is no administrator of the chat, so it may lack what the connector needs." /
            "Учётная запись коннектора — не администратор чата: ей может не хватать прав, нужных коннектору.";
            "Make the account an administrator, or connect as one: propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin" / "Сделайте учётную запись администратором или подключитесь от имени администратора: propusk rocketchat connect --chat-url https://chat.example.org --user-id ID --token-stdin"
        "service_other": "rocketchat.service names another OAuth service than the one by which the chat's client signs people in: the connector does not recognise their accounts." /
            "rocketchat.service называет не ту службу OAuth, по которой клиент чата впускает людей: коннектор не узнаёт их учётные записи.";
            "Take rocketchat.service out of the settings, or set it to the key of the redirect URI …/_oauth/KEY." / "Уберите rocketchat.service из настроек или задайте ключ из адреса возврата …/_oauth/KEY."
        "channels_absent": "Channels of rocketchat.channels do not exist in the chat, or the connector's account does not see them: nobody is put into them." /
            "Каналов из rocketchat.channels нет в чате, или учётная запись коннектора их не видит: в них никого не добавляют.";
            "Create them in the chat, invite the connector's account into private ones, or set rocketchat.create_channels." / "Создайте их в чате, пригласите учётную запись коннектора в закрытые или включите rocketchat.create_channels."
        "frame_refused": "The chat's page asks here who is signed in, and is not answered as it needs it: nobody comes in without a button." /
            "Страница чата спрашивает здесь, кто вошёл, и не получает нужного ответа: без кнопки никто не войдёт.";
            "Make rocketchat.url the address that people open; let the proxy pass Origin and the Access-Control headers." / "Пусть rocketchat.url будет адресом, который открывают люди, а прокси пропускает Origin и заголовки Access-Control."
        "chat_unknown": "No redirect URI of the client looks like a chat's, so the chat was not looked at." /
            "Ни один адрес возврата клиента не похож на адрес чата, поэтому чат не проверен.";
            "propusk rocketchat doctor --chat-url https://chat.example.org" / "propusk rocketchat doctor --chat-url https://chat.example.org"
        "chat_unreachable": "The chat does not answer here, so its settings were not looked at." /
            "Чат отсюда не отвечает, поэтому его настройки не проверены.";
            "Look whether this machine reaches the chat, or give a dump: propusk rocketchat doctor --settings FILE." / "Проверьте, доступен ли чат с этой машины, или дайте выгрузку: propusk rocketchat doctor --settings FILE."
    }
    Address = "The public address and the proxy" / "Публичный адрес и прокси" {
        "issuer_loopback": "This server's public address is this machine's own: a chat elsewhere, or in a container, would ask itself." /
            "Публичный адрес сервера ведёт на саму машину: чат на другой машине или в контейнере обратится сам к себе.";
            "Set issuer to the https address that browsers and the chat both reach." / "Задайте issuer: https-адрес, доступный и браузерам, и чату."
        "issuer_http": "The public address is plain http: passwords and tokens travel in the clear, and a chat on https loses its cookies on the way." /
            "Публичный адрес — http: пароли и токены идут открыто, а чат на https теряет cookie.";
            "Put a proxy with TLS in front and set issuer to https." / "Поставьте прокси с TLS и задайте issuer с https."
        "no_answer": "An endpoint gives no answer through the public address." /
            "По публичному адресу нет ответа.";
            "Look at the proxy's log for this path." / "Посмотрите этот путь в журнале прокси."
        "session_lost": "The session of the trial was not recognised: its cookie was lost on the way, or another installation answers at the public address." /
            "Сеанс пробы не узнан: cookie потерян по дороге, либо по публичному адресу отвечает другая установка.";
            "Let the proxy pass cookies, and the address lead to this installation." / "Пусть прокси пропускает cookie, а адрес ведёт на эту установку."
        "cookie_missing": "The sign-in page sets no cookie, or it is lost on the way: every sign-in begins again." /
            "Страница входа не ставит cookie, либо он теряется: каждый вход начинается заново.";
            "Let the proxy pass Set-Cookie." / "Пусть прокси пропускает Set-Cookie."
        "cookie_lost": "A browser would lose a cookie: every sign-in begins again." /
            "Браузер потеряет cookie: каждый вход начнётся заново.";
            "Let the proxy pass Set-Cookie as it is, and set issuer to the public address." / "Пусть прокси не меняет Set-Cookie; issuer должен быть публичным адресом."
        "redirect_loop": "The way to the sign-in page never ends: a proxy redirects in a circle, usually between http and https." /
            "Путь к странице входа бесконечен: прокси перенаправляет по кругу, обычно между http и https.";
            "Let the proxy send X-Forwarded-Proto, and redirect to https only once." / "Пусть прокси присылает X-Forwarded-Proto и перенаправляет на https один раз."
        "opener_policy": "Cross-Origin-Opener-Policy cuts the sign-in window off the chat that opened it." /
            "Cross-Origin-Opener-Policy отрезает окно входа от чата, который его открыл.";
            "Let the proxy send no Cross-Origin-Opener-Policy." / "Пусть прокси не добавляет Cross-Origin-Opener-Policy."
        "form_action": "form-action in the Content-Security-Policy holds for every redirect after the form: Chromium stops on the way back to the chat." /
            "form-action в Content-Security-Policy действует на все перенаправления после формы: Chromium останавливается по пути в чат.";
            "Let the proxy add no form-action." / "Пусть прокси не добавляет form-action."
        "sandboxed": "sandbox in the Content-Security-Policy cuts the sign-in page off its cookies, its form and the window that opened it." /
            "sandbox в Content-Security-Policy отрезает страницу входа от cookie, формы и открывшего её окна.";
            "Let the proxy add no sandbox." / "Пусть прокси не добавляет sandbox."
        "page_refused": "The sign-in page does not come through the public address: nobody can sign in." /
            "Страница входа не приходит через публичный адрес: никто не может войти.";
            "Let the proxy pass /login and the pages beside it; propusk explain REFERENCE where the page shows one." / "Пусть прокси пропускает /login и соседние страницы; если на странице есть код — propusk explain КОД."
        "authorize_page": "The authorization endpoint shows a page instead of going back with a code, though the person is signed in and has consented." /
            "Адрес авторизации показывает страницу вместо возврата с кодом, хотя человек вошёл и согласился.";
            "propusk explain REFERENCE, with the reference of the page." / "propusk explain REFERENCE — со ссылкой с этой страницы."
        "authorize_redirected": "The authorization endpoint redirects to somewhere else: a proxy adds or changes a redirect." /
            "Адрес авторизации перенаправляет в другое место: прокси добавляет или меняет перенаправление.";
            "Let the proxy pass the path as it is." / "Пусть прокси передаёт путь без изменений."
        "authorize_refused": "The authorization request was refused." /
            "Запрос авторизации отклонён.";
            "propusk explain REFERENCE" / "propusk explain REFERENCE"
        "state_changed": "The state did not come back byte for byte, so the chat or the application gives up." /
            "state вернулся изменённым, и чат или приложение прекращает вход.";
            "Let the proxy pass the query string as it is." / "Пусть прокси передаёт строку запроса без изменений."
        "token_redirected": "The token endpoint redirects, and the request becomes a GET." /
            "Адрес токена перенаправляет, и запрос становится GET.";
            "Let the proxy pass the path as it is: no slash, no other host." / "Пусть прокси передаёт путь как есть: без косой черты и другого узла."
        "token_not_json": "The token endpoint answers something that is no JSON: a proxy answers instead of this server." /
            "Адрес токена отвечает не JSON: вместо сервера отвечает прокси.";
            "Let the proxy pass the token endpoint to this server." / "Пусть прокси передаёт адрес токена этому серверу."
        "token_refused": "The token request was refused." /
            "Запрос токена отклонён.";
            "propusk explain REFERENCE" / "propusk explain REFERENCE"
        "identity_redirected": "The identity endpoint redirects, and Rocket.Chat takes the redirect for the answer." /
            "Адрес identity перенаправляет, и Rocket.Chat принимает перенаправление за ответ.";
            "Let the proxy pass the path as it is: no slash, no other host." / "Пусть прокси передаёт путь как есть: без косой черты и другого узла."
        "identity_not_json": "The identity endpoint answers something that is no JSON: a proxy answers instead of this server." /
            "Адрес identity отвечает не JSON: вместо сервера отвечает прокси.";
            "Let the proxy pass the identity endpoint to this server." / "Пусть прокси передаёт адрес identity этому серверу."
        "identity_refused": "The identity request was refused." /
            "Запрос identity отклонён.";
            "propusk explain REFERENCE" / "propusk explain REFERENCE"
        "identity_of_somebody_else": "The identity is not that of the person who signed in." /
            "Identity принадлежит не тому, кто вошёл.";
            "Let the proxy keep no answer in a cache." / "Пусть прокси не кеширует ответы."
        "identifier_overridden": "The identity holds a member that beats sub in Rocket.Chat: everybody who is known there by sub becomes somebody else." /
            "В identity есть поле, которое в Rocket.Chat важнее sub: все, кого чат знает по sub, станут другими.";
            "Let nothing on the way rewrite the answer." / "Пусть ничто по дороге не переписывает ответ."
        "roles_not_a_list": "The claim roles is no list: Rocket.Chat counts it as empty and takes every role to sync away." /
            "Claim roles — не список: Rocket.Chat считает его пустым и снимает все синхронизируемые роли.";
            "Let nothing on the way rewrite the answer." / "Пусть ничто по дороге не переписывает ответ."
        "groups_not_a_list": "The claim groups is no list: Rocket.Chat counts it as empty." /
            "Claim groups — не список: Rocket.Chat считает его пустым.";
            "Let nothing on the way rewrite the answer." / "Пусть ничто по дороге не переписывает ответ."
        "email_not_told": "The identity tells no address." /
            "Identity не сообщает адреса.";
            "Ask for the scope email." / "Запрашивайте область email."
        "oidc_discovery": "The discovery document or the keys cannot be used: the address answers with something else, or with another issuer." /
            "Документ discovery или ключи непригодны: адрес отвечает другим или с другим issuer.";
            "Compare the answer at the public address with the one at http.listen: what differs is the proxy's." / "Сравните ответ по публичному адресу и по http.listen: разницу вносит прокси."
        "oidc_code": "The code could not be redeemed: the token endpoint refused or answered something else." /
            "Код не удалось обменять: адрес токена отказал или ответил другим.";
            "Compare the answer at the public address with the one at http.listen: what differs is the proxy's." / "Сравните ответ по публичному адресу и по http.listen: разницу вносит прокси."
        "oidc_id_token": "The ID token is not accepted: signature, issuer, audience, nonce or time are wrong, or none came." /
            "ID-токен не принят: подпись, issuer, audience, nonce или время неверны, либо его нет.";
            "Set the clocks of both machines by NTP; compare the answer at the public address with the one at http.listen." / "Синхронизируйте часы по NTP; сравните ответ по публичному адресу и по http.listen."
        "oidc_userinfo": "Userinfo refused, answered something else, or told of another person." /
            "Userinfo отказал, ответил другим или рассказал о другом человеке.";
            "Compare the answer at the public address with the one at http.listen: what differs is the proxy's." / "Сравните ответ по публичному адресу и по http.listen: разницу вносит прокси."
    }
}
