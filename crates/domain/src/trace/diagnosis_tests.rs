use super::super::OK;
use super::*;
use crate::error::Detail;

const T: UnixTime = UnixTime(1_800_000_000);

fn step(step: Step, at: i64, verdict: &str) -> FlowStep {
    FlowStep {
        id: format!("{at:04}"),
        flow_id: Some("f".to_owned()),
        grant_id: None,
        client_id: "chat".to_owned(),
        sub: None,
        step,
        at: T.plus(at),
        verdict: verdict.to_owned(),
        reference: (verdict != OK).then(|| "ABC123".to_owned()),
    }
}

fn stray(endpoint: &str, cause: Cause, at: i64, client_id: Option<&str>, nearest: Option<&str>) -> RefusalRecord {
    RefusalRecord {
        reference: "STRAY1".to_owned(),
        at: T.plus(at),
        endpoint: endpoint.to_owned(),
        error: "x".to_owned(),
        detail: Detail {
            cause,
            client_id: client_id.map(str::to_owned),
            expected: None,
            received: Some("/oauth/tokne".to_owned()),
            nearest: nearest.map(str::to_owned),
            fix: Vec::new(),
        },
    }
}

/// The finding for these steps at `now`, with one flow, of a chat, without strays.
fn found(steps: &[FlowStep], now: i64) -> Finding {
    diagnose(&Evidence { steps, asks_userinfo: true, repeated: 1, strays: &[] }, T.plus(now)).finding
}

fn to_code(code_at: i64) -> Vec<FlowStep> {
    vec![step(Step::Authorize, 0, OK), step(Step::PageShown, 0, OK), step(Step::SignedIn, code_at, OK), step(Step::CodeIssued, code_at, OK)]
}

fn to_token() -> Vec<FlowStep> {
    let mut steps = to_code(5);
    steps.push(step(Step::TokenAsked, 6, OK));
    steps
}

#[test]
fn every_missing_step_has_its_finding() {
    let page = vec![step(Step::Authorize, 0, OK), step(Step::PageShown, 1, OK)];
    let signed_in = vec![step(Step::Authorize, 0, OK), step(Step::PageShown, 0, OK), step(Step::SignedIn, 9, OK)];
    let refused = |steps: &[FlowStep], last| steps.iter().cloned().chain([last]).collect::<Vec<_>>();
    let cases: Vec<(Vec<FlowStep>, i64, Finding)> = vec![
        (vec![], 0, Finding::NothingAsked),
        (vec![step(Step::Authorize, 0, "redirect_uri_mismatch")], 1, Finding::AuthorizeRefused),
        (vec![step(Step::Authorize, 0, OK)], 59, Finding::InProgress),
        (vec![step(Step::Authorize, 0, OK)], 60, Finding::PageNeverShown),
        (page.clone(), 300, Finding::InProgress),
        (page.clone(), 301, Finding::PageAbandoned),
        (refused(&page, step(Step::SignedIn, 9, "wrong_password")), 20, Finding::SignInRefused),
        (refused(&page, step(Step::SignedIn, 9, "access_denied")), 20, Finding::Declined),
        (refused(&signed_in, step(Step::Consent, 19, "access_denied")), 20, Finding::Declined),
        (refused(&page, step(Step::SignedIn, 9, "server_error")), 20, Finding::ServerFault),
        (signed_in.clone(), 300, Finding::InProgress),
        (signed_in, 301, Finding::ConsentAbandoned),
        (to_code(5), 64, Finding::InProgress),
        (to_code(5), 65, Finding::NoTokenRequest),
        (to_code(301), 361, Finding::ChatSessionDead),
        (refused(&to_code(5), step(Step::TokenAsked, 6, "secret_wrong")), 7, Finding::TokenRefused),
        (refused(&to_token(), step(Step::TokenAsked, 7, "code_reused")), 8, Finding::TokenRefused),
        (refused(&to_token(), step(Step::TokenAsked, 7, "code_of_another_client")), 8, Finding::InProgress),
        (to_token(), 65, Finding::InProgress),
        (to_token(), 66, Finding::NoUserinfoRequest),
        (refused(&to_token(), step(Step::UserinfoAsked, 7, "token_in_query")), 8, Finding::UserinfoRefused),
        (refused(&to_token(), step(Step::UserinfoAsked, 7, OK)), 8, Finding::Complete),
    ];
    for (steps, now, expected) in cases {
        assert_eq!(found(&steps, now), expected, "{steps:?} at {now}");
    }
}

#[test]
fn a_late_refusal_at_userinfo_does_not_undo_a_sign_in() {
    let mut steps = to_token();
    steps.extend([step(Step::UserinfoAsked, 7, OK), step(Step::UserinfoAsked, 4000, "token_expired")]);
    assert_eq!(found(&steps, 4001), Finding::Complete);
}

#[test]
fn a_client_that_reads_the_id_token_needs_no_userinfo() {
    let steps = to_token();
    let evidence = Evidence { steps: &steps, asks_userinfo: false, repeated: 1, strays: &[] };
    assert_eq!(diagnose(&evidence, T.plus(500)).finding, Finding::Complete);
}

#[test]
fn three_sign_ins_in_half_a_minute_are_a_loop_unless_a_refusal_says_more() {
    let with = |steps: &[FlowStep], repeated| diagnose(&Evidence { steps, asks_userinfo: true, repeated, strays: &[] }, T.plus(8)).finding;
    assert_eq!(with(&to_code(5), 2), Finding::InProgress);
    assert_eq!(with(&to_code(5), 3), Finding::Loop);
    let mut complete = to_token();
    complete.push(step(Step::UserinfoAsked, 7, OK));
    assert_eq!(with(&complete, 3), Finding::Loop);
    let mut refused = to_code(5);
    refused.push(step(Step::TokenAsked, 6, "secret_wrong"));
    assert_eq!(with(&refused, 3), Finding::TokenRefused);
}

#[test]
fn a_request_that_could_not_name_its_flow_is_the_missing_step() {
    let with =
        |steps: &[FlowStep], stray: RefusalRecord| diagnose(&Evidence { steps, asks_userinfo: true, repeated: 1, strays: &[stray] }, T.plus(300));
    let path = |at, nearest| stray("unknown", Cause::WrongPath, at, None, Some(nearest));
    let wrong = with(&to_code(5), path(6, "/auth/oauth/token"));
    assert_eq!((wrong.finding, wrong.path.as_deref(), wrong.reference.as_deref()), (Finding::WrongTokenPath, Some("/oauth/tokne"), Some("STRAY1")));
    assert!(wrong.explanation(Language::English).ends_with("(/oauth/tokne)"));
    assert_eq!(with(&to_code(5), path(4, "/oauth/token")).finding, Finding::NoTokenRequest, "before the code");
    assert_eq!(with(&to_code(5), path(126, "/oauth/token")).finding, Finding::NoTokenRequest, "too long after it");
    assert_eq!(with(&to_code(5), path(6, "/login")).finding, Finding::NoTokenRequest, "somebody else's");
    assert_eq!(with(&to_token(), path(7, "/oauth/userinfo")).finding, Finding::WrongIdentityPath);
    let swapped = stray("userinfo", Cause::TokenMissing, 6, None, None);
    assert_eq!(with(&to_code(5), swapped.clone()).finding, Finding::WrongTokenPath);
    assert_eq!(with(&to_token(), swapped).finding, Finding::UserinfoRefused);
    assert_eq!(with(&to_token(), stray("token", Cause::WrongMethod, 7, None, None)).finding, Finding::WrongIdentityPath);
    let unknown_code = |client| stray("token", Cause::CodeUnknown, 6, Some(client), None);
    assert_eq!(with(&to_code(5), unknown_code("chat")).finding, Finding::TokenRefused);
    assert_eq!(with(&to_code(5), unknown_code("site")).finding, Finding::NoTokenRequest);
}

#[test]
fn every_finding_is_said_in_both_languages() {
    let mut slugs = std::collections::HashSet::new();
    for finding in Finding::ALL {
        assert!(slugs.insert(finding.slug()));
        let cyrillic = |text: &str| text.chars().any(|letter| ('а'..='я').contains(&letter));
        assert!(!cyrillic(finding.explanation(Language::English)) && !cyrillic(finding.fix(Language::English)), "{finding:?}");
        assert!(cyrillic(finding.explanation(Language::Russian)) && cyrillic(finding.fix(Language::Russian)), "{finding:?}");
    }
}

#[test]
fn the_reference_stands_in_the_fix() {
    let mut steps = to_code(5);
    steps.push(step(Step::TokenAsked, 6, "secret_wrong"));
    let diagnosis = diagnose(&Evidence { steps: &steps, asks_userinfo: true, repeated: 1, strays: &[] }, T.plus(7));
    assert!(diagnosis.fix(Language::English).starts_with("propusk explain ABC123"));
    assert!(diagnosis.fix(Language::Russian).starts_with("propusk explain ABC123"));
    assert!(diagnosis.explanation(Language::English).ends_with(Cause::SecretWrong.explanation()));
}

#[test]
fn an_ordinary_client_is_told_nothing_of_rocket_chat() {
    let of = |steps: &[FlowStep], now| diagnose(&Evidence { steps, asks_userinfo: false, repeated: 1, strays: &[] }, T.plus(now));
    let userinfo = |verdict| to_token().into_iter().chain([step(Step::UserinfoAsked, 7, verdict)]).collect::<Vec<_>>();
    let mut told = vec![of(&[], 0), of(&to_code(5), 65), of(&to_token(), 90), of(&userinfo("token_in_query"), 8), of(&userinfo("token_missing"), 8)];
    told.push(of(&[step(Step::Authorize, 0, OK), step(Step::PageShown, 1, OK)], 301));
    told.push(of(&to_code(301), 361));
    assert_eq!(told.last().map(|diagnosis| diagnosis.finding), Some(Finding::NoTokenRequest), "only the chat forgets after five minutes");
    for diagnosis in &mut told {
        // What the cause itself says is about clients of every kind.
        diagnosis.cause = None;
        for language in [Language::English, Language::Russian] {
            for text in [diagnosis.explanation(language), diagnosis.fix(language)] {
                assert!(!["Rocket.Chat", "Identity", "Site_Url", "Merge", "chat", "чат"].iter().any(|word| text.contains(word)), "{text}");
            }
        }
    }
}

#[test]
fn the_advice_fits_the_cause() {
    let refused = |asks_userinfo, verdict| {
        let steps: Vec<FlowStep> = to_token().into_iter().chain([step(Step::UserinfoAsked, 7, verdict)]).collect();
        diagnose(&Evidence { steps: &steps, asks_userinfo, repeated: 1, strays: &[] }, T.plus(8)).fix(Language::English)
    };
    for is_chat in [true, false] {
        assert_eq!(refused(is_chat, "token_without_openid"), "Ask for the scope openid. propusk explain ABC123 says more.");
    }
    assert!(refused(true, "token_in_query").contains("Identity Token Sent Via"));
    assert!(refused(false, "token_in_query").contains("Authorization: Bearer"));
    let sign_in = |verdict| {
        let steps = [step(Step::Authorize, 0, OK), step(Step::PageShown, 1, OK), step(Step::SignedIn, 2, verdict)];
        diagnose(&Evidence { steps: &steps, asks_userinfo: true, repeated: 1, strays: &[] }, T.plus(8)).fix(Language::English)
    };
    assert!(sign_in("wrong_password").contains("propusk user set-password"));
    assert!(!sign_in("user_disabled").contains("set-password") && sign_in("user_disabled").contains("propusk explain ABC123"));
    let declined = [step(Step::Authorize, 0, OK), step(Step::PageShown, 0, OK), step(Step::Consent, 19, "access_denied")];
    let declined = diagnose(&Evidence { steps: &declined, asks_userinfo: true, repeated: 1, strays: &[] }, T.plus(20));
    assert!(declined.fix(Language::English).contains("propusk client set chat --first-party"));
}
