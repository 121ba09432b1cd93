//! What is wrong with the chat's other settings: accounts, second factors, iframe sign-in and embedding.

use super::lint::{Finding, Findings, Severity, Subject};
use crate::client_auth::shell_quoted;
use serde_json::Value;

use Severity::{Error, Warning};

pub(super) fn judge(subject: &Subject<'_>, findings: &mut Findings) {
    switches(subject, findings);
    registration(subject, findings);
    site_url(subject, findings);
    iframe(subject, findings);
    connector(subject, findings);
}

/// Settings with one right value, and what the other one does.
fn switches(subject: &Subject<'_>, findings: &mut Findings) {
    const SWITCHES: [(&str, &str, Severity, bool, &str); 6] = [
        (
            "second_factor_on_top",
            "Accounts_twoFactorAuthentication_email_available_for_OAuth_users",
            Error,
            false,
            "Half an hour after its first sign-in every account is asked for a code by e-mail on top of the sign-in here.",
        ),
        (
            "username_change_allowed",
            "Accounts_AllowUsernameChange",
            Warning,
            false,
            "People may rename themselves in the chat, and the next sign-in no longer finds them by their username.",
        ),
        (
            "email_change_allowed",
            "Accounts_AllowEmailChange",
            Warning,
            false,
            "People may change their address in the chat, and the next sign-in puts the old one back.",
        ),
        (
            "password_change_allowed",
            "Accounts_AllowPasswordChangeForOAuthUsers",
            Warning,
            false,
            "People may set a password in the chat, which stays valid when their account here is disabled.",
        ),
        (
            "registration_off",
            "Accounts_Registration_AuthenticationServices_Enabled",
            Error,
            true,
            "Nobody who has no account in the chat yet can sign in: \"registration-disabled-authentication-services\".",
        ),
        (
            "manual_approval",
            "Accounts_ManuallyApproveNewUsers",
            Warning,
            false,
            "Everybody has to be approved by hand after the first sign-in: \"error-user-is-not-activated\".",
        ),
    ];
    for (slug, id, severity, right, explanation) in SWITCHES {
        let Some(value) = subject.dump.get(id) else { continue };
        if super::truthy(value) != right {
            // Without any second factor the one by e-mail is not asked for either.
            let harmless =
                slug == "second_factor_on_top" && subject.dump.get("Accounts_TwoFactorAuthentication_Enabled") == Some(&Value::Bool(false));
            if !harmless {
                findings.wrong(slug, severity, id, value, right, explanation);
            }
        }
    }
}

fn registration(subject: &Subject<'_>, findings: &mut Findings) {
    if let Some(value) = subject.dump.get("Accounts_RegistrationForm")
        && value.as_str() == Some("Public")
    {
        let explanation = "Anybody may register in the chat itself, past the site, and take usernames of people who have not come yet.";
        findings.wrong("registration_open", Warning, "Accounts_RegistrationForm", value, "Disabled", explanation);
    }
    if let Some(value) = subject.dump.get("Accounts_AllowedDomainsList")
        && value.as_str().is_some_and(|list| !list.trim().is_empty())
    {
        let explanation = "Only addresses of these domains may come: everybody else is refused with \"error-invalid-domain\".";
        findings.wrong("domain_list", Warning, "Accounts_AllowedDomainsList", value, "", explanation);
    }
}

fn site_url(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(value) = subject.dump.get("Site_Url") else { return };
    let site = value.as_str().unwrap_or_default();
    let asked = subject.facts.chat_url.as_deref().unwrap_or(site).trim_end_matches('/');
    if site.strip_prefix("http://").is_some_and(|rest| asked.strip_prefix("https://") == Some(rest.trim_end_matches('/'))) {
        let explanation =
            "The chat believes that it is reached by http although it is reached by https: its redirect URI is wrong, and its cookies are lost.";
        findings.wrong("site_url_http", Error, "Site_Url", value, asked, explanation);
    } else if site.trim_end_matches('/') != asked {
        let explanation = "The chat takes another address for its own, and builds its redirect URI from that.";
        findings.wrong("site_url_mismatch", Error, "Site_Url", value, asked, explanation);
    }
    if subject.is_modern() && url::Url::parse(site).is_ok_and(|url| !url.path().trim_end_matches('/').is_empty()) {
        let explanation = "The modern flow loses the path of the chat's address on the way back.";
        let origin = url::Url::parse(site).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        findings.wrong("site_url_path", Warning, "Site_Url", value, origin, explanation);
    }
}

/// Whether sign-in by iframe is on and asks this server.
pub(super) fn signs_in_silently(subject: &Subject<'_>) -> bool {
    let text = |id: &str| super::text(subject.dump, id);
    let issuer = subject.issuer;
    subject.dump.get("Accounts_iframe_enabled").is_some_and(super::truthy)
        && text("Accounts_iframe_url") == format!("{issuer}/rocketchat/frame")
        && text("Accounts_Iframe_api_url") == format!("{issuer}/rocketchat/login")
        && subject.dump.get("Accounts_Iframe_api_method").is_none_or(super::truthy)
}

/// What this server needs to answer the chat's iframe.
fn connector(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(connector) = subject.facts.connector.as_ref().filter(|_| signs_in_silently(subject)) else { return };
    let chat_url = subject.chat_url();
    let shown = chat_url.as_deref().unwrap_or("https://chat.example.org");
    let connect = format!("propusk rocketchat connect --chat-url {} --user-id ID --token-stdin", shell_quoted(shown));
    let Some(url) = &connector.url else {
        let explanation = "The chat asks here for the person who is signed in, and no chat is connected here: every such question is answered with 403, \
                           and nobody comes in.";
        return findings.push(Finding::new("connector_missing", Error, explanation, connect));
    };
    if let Some(chat_url) = chat_url.as_deref().filter(|chat_url| origin(chat_url) != origin(url)) {
        let explanation = "Another chat is connected here than the one that asks: its origin is foreign, and every question is answered with 403.";
        findings.push(Finding::new("connector_elsewhere", Error, explanation, connect).found(url.as_str()).expected(chat_url));
        return;
    }
    let version = subject.facts.version;
    let nine = version.is_some_and(|(major, _)| major >= 9);
    if !nine || (connector.administrator && connector.token_secret) {
        return;
    }
    if !connector.administrator {
        let explanation = "From 9.0 on, only an administrator's token can ask the chat for a person's login token, and none is here.";
        return findings.push(Finding::new("connector_missing", Error, explanation, connect));
    }
    let explanation = "From 8.0 on, the chat makes login tokens only for who knows its CREATE_TOKENS_FOR_USERS_SECRET, and from 9.0 on there is no other \
                       way: nobody comes in without a button.";
    let fix = "set rocketchat.create_token_secret_file here, and CREATE_TOKENS_FOR_USERS_SECRET of the chat to what the file holds";
    findings.push(Finding::new("token_secret_missing", Error, explanation, fix));
}

fn origin(address: &str) -> Option<url::Origin> {
    url::Url::parse(address).ok().map(|url| url.origin())
}

fn iframe(subject: &Subject<'_>, findings: &mut Findings) {
    let text = |id: &str| super::text(subject.dump, id);
    let on = |id: &str| subject.dump.get(id).is_some_and(super::truthy);
    if on("Accounts_iframe_enabled") {
        let issuer = subject.issuer;
        for (id, right) in [
            ("Accounts_iframe_url", format!("{issuer}/rocketchat/frame")),
            ("Accounts_Iframe_api_url", format!("{issuer}/rocketchat/login")),
            ("Accounts_Iframe_api_method", "POST".to_owned()),
        ] {
            let Some(value) = subject.dump.get(id) else { continue };
            if text(id).is_empty() {
                let explanation = "Sign-in by iframe is on, and one of its four settings is empty: Rocket.Chat then leaves it off.";
                findings.wrong("iframe_incomplete", Error, id, value, right, explanation);
            } else if id != "Accounts_Iframe_api_method" && text(id) != right {
                let explanation = "Sign-in by iframe asks an address that is not this server's.";
                findings.wrong("iframe_address", Error, id, value, right, explanation);
            }
        }
    }
    for (switch, origin) in [
        ("Iframe_Integration_receive_enable", "Iframe_Integration_receive_origin"),
        ("Iframe_Integration_send_enable", "Iframe_Integration_send_target_origin"),
    ] {
        if let Some(value) = subject.dump.get(origin)
            && on(switch)
            && text(origin) == "*"
        {
            let explanation = "Every page that embeds the chat may command it or listen to it.";
            let site = url::Url::parse(subject.issuer).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
            findings.wrong("iframe_any_origin", Warning, origin, value, site, explanation);
        }
    }
}
