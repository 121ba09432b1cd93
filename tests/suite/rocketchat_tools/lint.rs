//! Faults of a chat's settings: each is found by its slug, the finding's own way out is taken, and nothing is found afterwards.

use super::{CHAT, ISSUER, dump_of, options};
use propusk_crypto::Secret;
use propusk_domain::UnixTime;
use propusk_domain::client::{Client, ClientSecret, Preset, RegisteredClient};
use propusk_domain::rocketchat::Dump;
use propusk_domain::rocketchat::lint::{Facts, Finding, OldPaths, Severity, Subject, judge, judge_address, judge_client};
use propusk_domain::roles::RoleMap;
use propusk_protocol::Scope;
use serde_json::{Value, json};

const SECRET: &str = "pps_0123456789abcdefghijklmnop";

/// A client as it should be: moderators moderate.
fn client() -> RegisteredClient {
    let mut settings = Preset::RocketChat.settings();
    settings.redirect_uris = vec![format!("{CHAT}/_oauth/besedka")];
    let [mut role_map, _] = RoleMap::defaults();
    role_map.roles.insert("moderator".into(), vec!["moderator".into()]);
    let hash = Secret::new(SECRET.into()).hash();
    let secrets = vec![ClientSecret { id: "s".into(), hash, created_at: UnixTime(0), expires_at: None, last_used_at: None }];
    let client = Client {
        client_id: "rocketchat".into(),
        name: "Rocket.Chat".into(),
        preset: Preset::RocketChat,
        disabled: false,
        first_party: true,
        standing_grant_id: String::new(),
        settings,
        secrets,
        created_at: UnixTime(0),
        updated_at: UnixTime(0),
    };
    RegisteredClient { client, role_map }
}

fn facts() -> Facts {
    Facts { version: Some((8, 6)), licensed: Some(true), chat_url: Some(CHAT.into()), roles: Some(vec!["vip".into()]), ..Facts::default() }
}

fn good() -> Dump {
    let options = super::Options {
        secret: Some(Secret::new(SECRET.into())),
        licensed: true,
        silent: true,
        embed: Some("https://example.org".into()),
        ..options()
    };
    let mut dump = dump_of(&client(), &options);
    dump.insert("Accounts_Registration_AuthenticationServices_Enabled".into(), json!(true));
    dump
}

fn look(dump: &Dump, client: &RegisteredClient, facts: &Facts) -> Vec<Finding> {
    judge(&Subject { dump, client, issuer: ISSUER, facts })
}

fn slugs(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.slug).collect()
}

/// Takes the way out that the findings themselves describe.
fn repair(dump: &mut Dump, findings: &[Finding]) {
    for finding in findings {
        let Some(setting) = &finding.setting else { continue };
        match &finding.expected {
            Some(expected) => dump.insert(setting.clone(), expected.clone()),
            None => dump.remove(setting),
        };
    }
}

#[test]
fn nothing_is_found_on_a_good_set_up() {
    for version in [(7, 13), (8, 6), (8, 9), (9, 0)] {
        let facts = Facts { version: Some(version), ..facts() };
        assert_eq!(look(&good(), &client(), &facts), [], "{version:?}");
    }
    assert_eq!(look(&dump_of(&client(), &options()), &client(), &Facts::default()), []);
    assert_eq!(look(&Dump::new(), &client(), &Facts::default()), [], "nothing is known, nothing is judged");
}

/// One setting each, with what is found.
fn faulty() -> Vec<(&'static str, String, Value)> {
    let provider = |suffix: &str| format!("Accounts_OAuth_Custom-Besedka{suffix}");
    vec![
        ("provider_disabled", provider(""), json!(false)),
        ("button_hidden", provider("-show_button"), json!(false)),
        ("boolean_as_text", provider("-map_channels"), json!("false")),
        ("boolean_as_text", provider("-merge_users"), json!("true")),
        ("boolean_as_text", provider("-merge_users"), json!("false")),
        ("boolean_as_text", provider("-show_button"), json!("false")),
        ("boolean_as_text", provider("-merge_users_distinct_services"), json!("true")),
        ("boolean_as_text", provider(""), json!("false")),
        ("list_as_array", provider("-roles_to_sync"), json!(["admin", "vip"])),
        ("loopback_url", provider("-url"), json!("http://127.0.0.1:8080")),
        ("loopback_url", provider("-url"), json!("http://localhost:8080")),
        ("http_behind_https", provider("-url"), json!("http://id.example.org")),
        ("url_trailing_slash", provider("-url"), json!("https://id.example.org/")),
        ("url_mismatch", provider("-url"), json!("https://old.example.org")),
        ("path_wrong", provider("-authorize_path"), json!("/authorize")),
        ("path_wrong", provider("-token_path"), json!("oauth/token")),
        ("path_wrong", provider("-identity_path"), json!("/api/me")),
        ("paths_swapped", provider("-token_path"), json!("/oauth/userinfo/rocketchat")),
        ("paths_swapped", provider("-identity_path"), json!("/oauth/token")),
        ("identity_path_open", provider("-identity_path"), json!("/oauth/userinfo")),
        ("identity_path_open", provider("-identity_path"), json!("/me")),
        ("identity_path_of_another_client", provider("-identity_path"), json!("/oauth/userinfo/site")),
        ("loopback_url", provider("-token_path"), json!("http://127.0.0.1:9/oauth/token")),
        ("loopback_url", provider("-identity_path"), json!("http://[::1]/oauth/userinfo/rocketchat")),
        ("path_elsewhere", provider("-token_path"), json!("https://evil.example/oauth/token")),
        ("path_elsewhere", provider("-token_path"), json!("https://id.example.org.evil.example/oauth/token")),
        ("path_elsewhere", provider("-authorize_path"), json!("https://evil.example/oauth/authorize")),
        ("path_elsewhere", provider("-identity_path"), json!("https://evil.example/oauth/userinfo/rocketchat")),
        ("path_elsewhere", provider("-token_path"), json!("http://propusk:8080/oauth/tokens")),
        ("path_wrong", provider("-token_path"), json!("/o/token/")),
        ("path_wrong", provider("-identity_path"), json!("/api/v1/auth/rocket/identity/")),
        ("token_sent_via", provider("-token_sent_via"), json!("header")),
        ("identity_token_in_query", provider("-identity_token_sent_via"), json!("default")),
        ("identity_token_in_query", provider("-identity_token_sent_via"), json!("payload")),
        ("access_token_param", provider("-access_token_param"), json!("token")),
        ("client_id_mismatch", provider("-id"), json!("besedka")),
        ("scope_without_openid", provider("-scope"), json!("profile email")),
        ("scope_not_allowed", provider("-scope"), json!("openid read_user")),
        ("username_field", provider("-username_field"), json!("")),
        ("username_field", provider("-username_field"), json!("username")),
        ("email_field_set", provider("-email_field"), json!("email")),
        ("name_field", provider("-name_field"), json!("display_name")),
        ("key_field", provider("-key_field"), json!("email")),
        ("merge_users_off", provider("-merge_users"), json!(false)),
        ("distinct_services_on", provider("-merge_users_distinct_services"), json!(true)),
        ("roles_claim_wrong", provider("-roles_claim"), json!("role")),
        ("groups_claim_wrong", provider("-groups_claim"), json!("group")),
        ("roles_to_sync_empty", provider("-roles_to_sync"), json!("")),
        ("roles_to_sync_user", provider("-roles_to_sync"), json!("admin,user")),
        ("roles_to_sync_form", provider("-roles_to_sync"), json!("admin vip")),
        ("roles_to_sync_unknown", provider("-roles_to_sync"), json!("admin,captain")),
        ("channels_admin_list", provider("-channels_admin"), json!("admin,vip,moderator")),
        ("channel_map_invalid", provider("-groups_channel_map"), json!("{'a':'b'}")),
        ("invented_setting", provider("-enable"), json!(true)),
        ("invented_setting", provider("-server_url"), json!(ISSUER)),
        ("invented_setting", provider("-access_token_path"), json!("/oauth/token")),
        ("invented_setting", provider("-channels_map"), json!("{}")),
        ("lower_case_twin", "Accounts_OAuth_Custom-besedka".into(), json!(false)),
        ("lower_case_twin", "Accounts_OAuth_Custom-besedka-url".into(), json!(ISSUER)),
        ("two_providers", "Accounts_OAuth_Custom-Old-url".into(), json!(ISSUER)),
        ("second_factor_on_top", "Accounts_twoFactorAuthentication_email_available_for_OAuth_users".into(), json!(true)),
        ("username_change_allowed", "Accounts_AllowUsernameChange".into(), json!(true)),
        ("email_change_allowed", "Accounts_AllowEmailChange".into(), json!(true)),
        ("password_change_allowed", "Accounts_AllowPasswordChangeForOAuthUsers".into(), json!(true)),
        ("registration_off", "Accounts_Registration_AuthenticationServices_Enabled".into(), json!(false)),
        ("manual_approval", "Accounts_ManuallyApproveNewUsers".into(), json!(true)),
        ("registration_open", "Accounts_RegistrationForm".into(), json!("Public")),
        ("domain_list", "Accounts_AllowedDomainsList".into(), json!("example.com")),
        ("site_url_http", "Site_Url".into(), json!("http://chat.example.org")),
        ("site_url_mismatch", "Site_Url".into(), json!("https://old.example.org")),
        ("iframe_incomplete", "Accounts_iframe_url".into(), json!("")),
        ("iframe_address", "Accounts_Iframe_api_url".into(), json!("https://old.example.org/login")),
        ("iframe_any_origin", "Iframe_Integration_receive_origin".into(), json!("*")),
    ]
}

/// One setting each.
pub(super) fn faults() -> Vec<(String, Value)> {
    faulty().into_iter().map(|(_, id, value)| (id, value)).collect()
}

#[test]
fn every_fault_of_the_settings_is_found_and_its_fix_helps() {
    let faults = faulty();
    assert!(faults.len() >= 25);
    for (slug, id, value) in faults {
        let mut dump = good();
        dump.insert(id.clone(), value.clone());
        let findings = look(&dump, &client(), &facts());
        assert!(slugs(&findings).contains(&slug), "{slug}: {id} = {value} gives {:?}", slugs(&findings));
        assert!(findings.iter().all(|finding| !finding.explanation.is_empty() && !finding.fix.is_empty()));
        repair(&mut dump, &findings);
        assert_eq!(look(&dump, &client(), &facts()), [], "{slug}: {id} = {value} is not repaired");
    }
}

#[test]
fn paths_of_a_site_that_was_taken_over_are_right_where_they_are_answered() {
    let provider = |suffix: &str| format!("Accounts_OAuth_Custom-Besedka{suffix}");
    let old = |url: &str, prefix: &str| {
        let mut dump = good();
        dump.insert(provider("-url"), json!(url));
        dump.insert(provider("-authorize_path"), json!(format!("{prefix}/authorize/")));
        dump.insert(provider("-token_path"), json!(format!("{prefix}/token/")));
        dump.insert(provider("-identity_path"), json!("/api/v1/auth/rocket/identity/"));
        dump
    };
    let both = Facts { old_paths: OldPaths { oauth_toolkit: true, rocket_identity: true }, ..facts() };
    let at = |issuer: &str, dump: &Dump, facts: &Facts| judge(&Subject { dump, client: &client(), issuer, facts });
    assert_eq!(at(ISSUER, &old(ISSUER, "/o"), &both), []);
    let toolkit = Facts { old_paths: OldPaths { oauth_toolkit: true, rocket_identity: false }, ..facts() };
    assert_eq!(slugs(&at(ISSUER, &old(ISSUER, "/o"), &toolkit)), ["path_wrong"], "the identity alone");
    assert_eq!(slugs(&at(ISSUER, &old(ISSUER, "/o"), &facts())), ["path_wrong"; 3]);
    let mut open = old(ISSUER, "/o");
    open.insert(provider("-identity_path"), json!("/o/userinfo/"));
    assert_eq!(slugs(&at(ISSUER, &open, &both)), ["identity_path_open"]);
    // The issuer of the toolkit itself ends in /o; the chat has it in the paths.
    let issuer = "https://example.org/o";
    let own = |mut dump: Dump| {
        for (id, page) in [("Accounts_iframe_url", "frame"), ("Accounts_Iframe_api_url", "login")] {
            dump.insert(id.into(), json!(format!("{issuer}/rocketchat/{page}")));
        }
        dump
    };
    let mut split = own(old("https://example.org", "/o"));
    split.insert(provider("-identity_path"), json!("/o/api/v1/auth/rocket/identity/"));
    assert_eq!(at(issuer, &split, &both), []);
    assert_eq!(at(issuer, &own(old(issuer, "")), &both), []);
    let mut wrong = split.clone();
    wrong.insert(provider("-token_path"), json!("/oauth/token"));
    let findings = at(issuer, &wrong, &both);
    assert_eq!(slugs(&findings), ["path_wrong"], "it does not stand below the issuer");
    repair(&mut wrong, &findings);
    assert_eq!(at(issuer, &wrong, &both), []);
    assert!(slugs(&at(issuer, &split, &facts())).contains(&"url_mismatch"));
}

#[test]
fn a_path_on_a_name_of_the_chats_network_is_only_spoken_of() {
    for path in ["http://propusk:8080/oauth/token", "http://10.0.0.7/oauth/token/", "http://id.internal/oauth/token"] {
        let mut dump = good();
        dump.insert("Accounts_OAuth_Custom-Besedka-token_path".into(), json!(path));
        let findings = look(&dump, &client(), &facts());
        assert_eq!((slugs(&findings), findings[0].severity), (vec!["path_elsewhere"], Severity::Note), "{path}");
    }
}

#[test]
fn an_issuer_that_the_chat_cannot_reach_is_found_beside_its_settings() {
    for (issuer, chat, expected) in [
        ("http://127.0.0.1:8080", Some(CHAT), &["issuer_loopback"][..]),
        ("http://localhost:8080", Some("https://chat.example.org:3000"), &["issuer_loopback"]),
        ("http://[::1]:8080", Some(CHAT), &["issuer_loopback"]),
        ("http://127.0.0.1:8080", Some("http://127.0.0.1:3000"), &[]),
        ("http://127.0.0.1:8080", None, &[]),
        ("http://id.example.org", Some(CHAT), &["issuer_http"]),
        (ISSUER, Some("http://localhost:3000"), &[]),
        ("https://localhost.example.org", Some(CHAT), &[]),
    ] {
        assert_eq!(slugs(&judge_address(issuer, chat)), expected, "{issuer} {chat:?}");
    }
}

#[test]
fn faults_that_depend_on_version_and_licence() {
    let set = |pairs: &[(&str, Value)]| {
        let mut dump = good();
        dump.extend(pairs.iter().map(|(suffix, value)| (format!("Accounts_OAuth_Custom-Besedka{suffix}"), value.clone())));
        dump
    };
    let absolute = set(&[("-token_path", json!("https://id.example.org/oauth/token"))]);
    assert_eq!(look(&absolute, &client(), &facts()), [], "the legacy flow understands it");
    let nine = Facts { version: Some((9, 0)), ..facts() };
    assert_eq!(slugs(&look(&absolute, &client(), &nine)), ["absolute_path"]);
    let unlicensed = Facts { version: Some((9, 0)), licensed: Some(false), ..facts() };
    let off = set(&[("", json!(false)), ("-merge_roles", json!(false))]);
    assert_eq!(look(&off, &client(), &unlicensed), [], "people come in without the button");
    let button: Dump = off.into_iter().filter(|(id, _)| !id.to_lowercase().starts_with("accounts_iframe")).collect();
    assert_eq!(slugs(&look(&button, &client(), &unlicensed)), ["unlicensed_nine"]);
    let unknown = Facts { licensed: None, ..unlicensed };
    assert_eq!(slugs(&look(&button, &client(), &unknown)), ["unlicensed_nine"], "the switch reads off");
    let community = Facts { licensed: Some(false), ..facts() };
    assert_eq!(slugs(&look(&good(), &client(), &community)), ["roles_need_licence"]);
    let sample = json!(r#"{"rocket-admin":"admin","tech-support":"support"}"#);
    assert_eq!(look(&set(&[("-groups_channel_map", sample.clone())]), &client(), &facts()), [], "it does nothing while mapping is off");
    let mapped = set(&[("-groups_channel_map", sample), ("-map_channels", json!(true))]);
    assert_eq!(slugs(&look(&mapped, &client(), &facts())), ["channel_map_sample"]);
    let reserved = set(&[("-groups_channel_map", json!(r#"{"vip":["all"]}"#)), ("-map_channels", json!(true))]);
    assert_eq!(slugs(&look(&reserved, &client(), &facts())), ["channel_reserved"]);
}

#[test]
fn a_lower_case_provider_alone_and_none_at_all() {
    let lower: Dump = good().into_iter().map(|(id, value)| (id.replace("-Besedka", "-besedka"), value)).collect();
    assert_eq!(slugs(&look(&lower, &client(), &facts())), ["lower_case_name"]);
    let none: Dump = good().into_iter().filter(|(id, _)| !id.contains("Besedka")).chain([("Accounts_OAuth_Google".into(), json!(false))]).collect();
    let findings = look(&none, &client(), &facts());
    assert_eq!(slugs(&findings), ["provider_missing"]);
    assert!(findings[0].fix.contains("propusk rocketchat settings --client rocketchat"), "{}", findings[0].fix);
}

#[test]
fn a_wrong_secret_is_found_and_never_shown() {
    for (slug, secret) in
        [("secret_missing", String::new()), ("secret_wrong", "another secret altogether".into()), ("secret_whitespace", format!(" {SECRET}"))]
    {
        let mut dump = good();
        dump.insert("Accounts_OAuth_Custom-Besedka-secret".into(), json!(secret));
        let findings = look(&dump, &client(), &facts());
        assert_eq!(slugs(&findings), [slug]);
        assert!(secret.is_empty() || !serde_json::to_string(&findings).unwrap().contains(secret.trim()));
    }
    let mut hidden = good();
    hidden.insert("Accounts_OAuth_Custom-Besedka-secret".into(), json!("**********"));
    assert_eq!(look(&hidden, &client(), &facts()), [], "a chat may hide it");
}

#[test]
fn faults_of_the_client_are_found_before_the_chat_is_asked() {
    type Change = fn(&mut RegisteredClient);
    let faults: [(&str, Change); 9] = [
        ("client_disabled", |client| client.client.disabled = true),
        ("client_public", |client| client.client.settings.public = true),
        ("client_requires_pkce", |client| client.client.settings.require_pkce = true),
        ("client_asks_consent", |client| client.client.first_party = false),
        ("client_not_rocket_chat", |client| client.client.settings.rocket_chat = false),
        ("client_scope", |client| client.client.settings.scopes = Scope::parse("profile").unwrap()),
        ("redirect_uri_not_registered", |client| client.client.settings.redirect_uris = vec!["http://chat.example.org/_oauth/besedka".into()]),
        ("role_map_not_of_chat", |client| client.role_map = RoleMap::defaults()[1].clone()),
        ("group_reserved", |client| drop(client.role_map.groups.insert("user".into(), vec!["all".into()]))),
    ];
    assert_eq!(judge_client(&client(), Some(CHAT), &facts()), []);
    for (slug, change) in faults {
        let mut client = client();
        change(&mut client);
        assert_eq!(slugs(&judge_client(&client, Some(CHAT), &facts())), [slug]);
    }
}

#[test]
fn the_documented_map_is_said_to_give_administration() {
    let mut client = client();
    client.role_map = RoleMap::defaults()[0].clone();
    let findings = judge_client(&client, Some(CHAT), &facts());
    assert_eq!(slugs(&findings), ["role_map_gives_admin"]);
    assert_eq!((findings[0].severity, &findings[0].expected), (Severity::Note, &Some(json!("moderator"))));
    let no_vip = Facts { roles: Some(Vec::new()), ..facts() };
    assert!(slugs(&judge_client(&client, Some(CHAT), &no_vip)).contains(&"role_unknown_in_chat"));
}
