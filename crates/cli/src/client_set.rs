//! `propusk client set`

use crate::client::parse_scopes;
use crate::failure::Failure;
use crate::output::{Report, changes_text};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use propusk_crypto::Algorithm;
use propusk_domain::admin::clients::{self, AliasPatch, ClientPatch, ListPatch};
use propusk_domain::client::{GrantType, Introspect};
use propusk_protocol::Scope;
use propusk_server::instance::Instance;
use serde_json::json;

pub(crate) const EXAMPLES: &str = "\
Examples:
  propusk client set site --add-redirect-uri https://example.org/callback
  propusk client set site --redirect-uri https://example.org/a --redirect-uri https://example.org/b   (replaces all)
  propusk client set site --disable
  propusk client set site --backchannel-logout-uri https://example.org/backchannel-logout
  propusk client set site --add-scope reports --scope-alias read=profile --scope-alias write=reports
  propusk client set site --alg ES256 --access-token-lifetime 300
  propusk client set rocketchat --add-scope offline_access --grant-type refresh_token";

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The client's identifier
    id: String,
    /// Another name that people see
    #[arg(long)]
    name: Option<String>,
    /// Refuse the client everywhere and revoke its grants
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Serve the client again
    #[arg(long)]
    enable: bool,
    /// The community's own: no consent is asked
    #[arg(long, conflicts_with = "third_party")]
    first_party: bool,
    /// Somebody else's: consent is asked
    #[arg(long)]
    third_party: bool,
    #[command(flatten)]
    lists: Lists,
    /// The audience of its access tokens; an empty text means the issuer
    #[arg(long)]
    audience: Option<String>,
    /// What signs its access tokens
    #[arg(long, value_name = "ALG", value_parser = algorithm())]
    alg: Option<Algorithm>,
    /// What signs its ID tokens
    #[arg(long, value_name = "ALG", value_parser = algorithm())]
    id_token_alg: Option<Algorithm>,
    /// Seconds that an access token lives
    #[arg(long, value_name = "SECONDS")]
    access_token_lifetime: Option<i64>,
    /// The role map that its tokens and userinfo follow
    #[arg(long, value_name = "NAME")]
    role_map: Option<String>,
    /// Take tokens from the query string of userinfo (they end up in logs)
    #[arg(long, value_name = "SWITCH")]
    query_token: Option<Switch>,
    /// Whose tokens it may introspect
    #[arg(long, value_name = "WHOSE")]
    introspect: Option<Whose>,
    /// Refuse authorization requests without PKCE
    #[arg(long, value_name = "SWITCH")]
    require_pkce: Option<Switch>,
    /// Where it is told that a session has ended; an empty text means nowhere
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// It needs to be told which session (it always is)
    #[arg(long, value_name = "SWITCH")]
    backchannel_logout_session_required: Option<Switch>,
    /// Let it read people in the form that GitLab has, with the scope read_user
    #[arg(long, value_name = "SWITCH")]
    gitlab_facade: Option<Switch>,
}

#[derive(Debug, Args)]
struct Lists {
    /// All redirect URIs from now on; may be repeated
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// One more redirect URI; may be repeated
    #[arg(long, value_name = "URI")]
    add_redirect_uri: Vec<String>,
    /// One redirect URI less; may be repeated
    #[arg(long, value_name = "URI")]
    remove_redirect_uri: Vec<String>,
    /// All post-logout redirect URIs from now on; may be repeated
    #[arg(long, value_name = "URI")]
    post_logout_redirect_uri: Vec<String>,
    /// One more post-logout redirect URI; may be repeated
    #[arg(long, value_name = "URI")]
    add_post_logout_redirect_uri: Vec<String>,
    /// One post-logout redirect URI less; may be repeated
    #[arg(long, value_name = "URI")]
    remove_post_logout_redirect_uri: Vec<String>,
    /// All that it may ask for from now on; repeated, or one value with spaces
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// One more scope; may be repeated
    #[arg(long, value_name = "SCOPE")]
    add_scope: Vec<String>,
    /// One scope less; may be repeated
    #[arg(long, value_name = "SCOPE")]
    remove_scope: Vec<String>,
    /// What it asks for under another server's name, and what that is here (nothing, when empty); may be repeated
    #[arg(long, value_name = "THEIRS=OURS", value_parser = alias)]
    scope_alias: Vec<(String, Scope)>,
    /// One such name less; may be repeated
    #[arg(long, value_name = "THEIRS")]
    remove_scope_alias: Vec<String>,
    /// One more grant that it may use; may be repeated
    #[arg(long, visible_alias = "add-grant-type", value_name = "GRANT", value_parser = grant_type())]
    grant_type: Vec<GrantType>,
    /// One grant less; may be repeated
    #[arg(long, value_name = "GRANT", value_parser = grant_type())]
    remove_grant_type: Vec<GrantType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Whose {
    /// Nobody's
    None,
    /// Those issued to itself
    Own,
    /// Everybody's
    Any,
}

impl Set {
    pub(crate) fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let id = self.id.clone();
        let patch = self.patch()?;
        let (client, changes) = instance.write(move |cx| clients::set(cx, &id, &patch))?;
        Ok(Report::of(json!({ "client_id": client.client_id, "changed": changes })).human(changes_text(&changes)))
    }

    fn patch(self) -> Result<ClientPatch, Failure> {
        let Lists { redirect_uri, add_redirect_uri, remove_redirect_uri, .. } = self.lists;
        let Lists { post_logout_redirect_uri, add_post_logout_redirect_uri, remove_post_logout_redirect_uri, .. } = self.lists;
        let Lists { grant_type, remove_grant_type, scope, add_scope, remove_scope, scope_alias, remove_scope_alias, .. } = self.lists;
        let aliases = scope_alias.into_iter().map(|(name, scope)| (name, Some(scope)));
        Ok(ClientPatch {
            name: self.name,
            disabled: (self.disable || self.enable).then_some(self.disable),
            first_party: (self.first_party || self.third_party).then_some(self.first_party),
            redirect_uris: list(redirect_uri, add_redirect_uri, remove_redirect_uri),
            post_logout_redirect_uris: list(post_logout_redirect_uri, add_post_logout_redirect_uri, remove_post_logout_redirect_uri),
            grant_types: list(Vec::new(), grant_type, remove_grant_type),
            scopes: ListPatch {
                replace: (!scope.is_empty()).then(|| words(&scope)).transpose()?,
                add: words(&add_scope)?,
                remove: words(&remove_scope)?,
            },
            audience: self.audience,
            access_token_alg: self.alg,
            id_token_alg: self.id_token_alg,
            access_token_lifetime: self.access_token_lifetime,
            role_map: self.role_map,
            query_token: self.query_token.map(|switch| switch == Switch::On),
            introspect: self.introspect.map(Introspect::from),
            require_pkce: self.require_pkce.map(|switch| switch == Switch::On),
            backchannel_logout_uri: self.backchannel_logout_uri,
            backchannel_logout_session_required: self.backchannel_logout_session_required.map(|switch| switch == Switch::On),
            gitlab_facade: self.gitlab_facade.map(|switch| switch == Switch::On),
            scope_aliases: AliasPatch {
                set: aliases.chain(remove_scope_alias.into_iter().map(|name| (name, None))).collect(),
                ..AliasPatch::default()
            },
        })
    }
}

/// `read=profile email`: a scope of another server and what it is here.
pub(crate) fn alias(text: &str) -> Result<(String, Scope), String> {
    let (theirs, ours) = text.split_once('=').ok_or("must be THEIRS=OURS")?;
    let is_scope = Scope::parse(theirs).is_ok_and(|scope| scope.contains(theirs));
    let ours = Scope::parse(ours).map_err(|error| error.description.to_owned())?;
    if is_scope { Ok((theirs.to_owned(), ours)) } else { Err(format!("{theirs:?} is no scope")) }
}

impl From<Whose> for Introspect {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::None => Self::None,
            Whose::Own => Self::Own,
            Whose::Any => Self::Any,
        }
    }
}

fn list<T>(replace: Vec<T>, add: Vec<T>, remove: Vec<T>) -> ListPatch<T> {
    ListPatch { replace: (!replace.is_empty()).then_some(replace), add, remove }
}

fn words(values: &[String]) -> Result<Vec<String>, Failure> {
    Ok(parse_scopes(values)?.iter().map(str::to_owned).collect())
}

fn algorithm() -> impl TypedValueParser<Value = Algorithm> {
    PossibleValuesParser::new(Algorithm::ALL.map(Algorithm::as_str)).try_map(|name| Algorithm::parse(&name).ok_or("no such algorithm"))
}

fn grant_type() -> impl TypedValueParser<Value = GrantType> {
    let all = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials];
    PossibleValuesParser::new(all.map(GrantType::as_str)).try_map(|name| GrantType::parse(&name).ok_or("no such grant"))
}
