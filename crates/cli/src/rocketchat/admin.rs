//! Signing in to the chat as its administrator.

use crate::failure::Failure;
use crate::input;
use clap::Args;
use propusk_crypto::Secret;
use propusk_server::rocketchat::rest::{Rest, RestError, SecondFactor};
use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Who changes the chat's settings.
#[derive(Debug, Args)]
pub(crate) struct Admin {
    /// An administrator of the chat; the password is asked for, or comes by standard input (a second line: the code of the authenticator app)
    #[arg(long = "admin-user", value_name = "NAME", conflicts_with = "id")]
    user: Option<String>,
    /// The administrator's password in a file
    #[arg(long = "admin-password-file", value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// The administrator's user id, for a personal access token
    #[arg(long = "admin-id", value_name = "ID", requires = "token_file")]
    id: Option<String>,
    /// The personal access token in a file
    #[arg(long = "admin-token-file", value_name = "FILE", requires = "id")]
    token_file: Option<PathBuf>,
}

/// A login of the chat that answers when a second factor is asked for.
pub(crate) struct Session {
    rest: RefCell<Rest>,
    password: Option<Secret>,
    code: RefCell<Option<Secret>>,
    /// Made here, so it ends here.
    own: bool,
}

impl Admin {
    /// Whether anybody was named.
    pub(crate) const fn is_named(&self) -> bool {
        self.user.is_some() || self.id.is_some()
    }

    /// Whether standard input will be read.
    pub(crate) const fn reads_stdin(&self) -> bool {
        self.user.is_some() && self.password_file.is_none()
    }

    /// Signs in.
    pub(crate) fn sign_in(&self, rest: Rest) -> Result<Session, Failure> {
        if let (Some(id), Some(file)) = (&self.id, &self.token_file) {
            let rest = rest.with_token(id, input::from_file(file)?);
            rest.get("me", &[]).map_err(explained)?;
            return Ok(Session { rest: RefCell::new(rest), password: None, code: RefCell::new(None), own: false });
        }
        let Some(user) = &self.user else {
            return Err(Failure::usage("say who: --admin-user NAME, or --admin-id ID --admin-token-file FILE"));
        };
        let (password, code) = self.password()?;
        let (login, code) = match rest.login(user, &password) {
            Err(RestError::TotpRequired { method }) => {
                let code = code.map_or_else(|| ask(&method), Ok)?;
                (rest.clone().with_second_factor(factor(&method, &code)).login(user, &password), Some(code))
            }
            other => (other, code),
        };
        let session = login.map_err(explained)?;
        let rest = RefCell::new(rest.with_token(&session.user_id, session.token));
        Ok(Session { rest, password: Some(password), code: RefCell::new(code), own: true })
    }

    /// The password, and the code when a second line brings one.
    fn password(&self) -> Result<(Secret, Option<Secret>), Failure> {
        if let Some(file) = &self.password_file {
            return Ok((input::from_file(file)?, None));
        }
        let given = input::from_stdin("Password of the chat's administrator: ")?;
        if std::io::stdin().is_terminal() {
            return Ok((given, None));
        }
        Ok(match given.expose().split_once('\n') {
            Some((password, code)) => (Secret::new(password.to_owned()), Some(Secret::new(code.trim().to_owned()))),
            None => (given, None),
        })
    }
}

impl Session {
    /// Does something as the administrator; when the chat asks for the second factor, once more with it.
    pub(crate) fn act<T>(&self, action: impl Fn(&Rest) -> Result<T, RestError>) -> Result<T, Failure> {
        let method = match action(&self.rest()) {
            Err(RestError::TotpRequired { method } | RestError::TotpInvalid { method }) => method,
            other => return other.map_err(explained),
        };
        let factor = match (method.as_str(), &self.password) {
            ("password", Some(password)) => SecondFactor::Password(password.clone()),
            ("password", None) => SecondFactor::Password(input::from_stdin("Password of the chat's administrator: ")?),
            _ => factor(&method, &self.code.take().map_or_else(|| ask(&method), Ok)?),
        };
        let rest = self.rest().with_second_factor(factor);
        self.rest.replace(rest);
        action(&self.rest()).map_err(explained)
    }

    /// Ends the login that was made here.
    pub(crate) fn end(self) {
        if self.own {
            // It would expire by itself.
            let _ended = self.rest().log_out();
        }
    }

    fn rest(&self) -> Rest {
        self.rest.borrow().clone()
    }
}

fn factor(method: &str, code: &Secret) -> SecondFactor {
    if method == "email" { SecondFactor::Email(code.clone()) } else { SecondFactor::Totp(code.clone()) }
}

fn ask(method: &str) -> Result<Secret, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Failed(format!("the chat asks for the second factor ({method}): give the code on a second line of standard input")));
    }
    input::from_stdin(&format!("Code of the second factor ({method}): "))
}

/// With what usually helps.
fn explained(error: RestError) -> Failure {
    let help = match &error {
        RestError::Unauthorized => "; check name and password, or user id and token",
        RestError::Forbidden(_) => "; it needs view-privileged-setting, edit-privileged-setting and add-oauth-service",
        RestError::TotpInvalid { .. } => "; codes are valid for half a minute",
        error if error.is("error-action-not-allowed") => {
            "; either the account lacks the permission add-oauth-service, or this is 9.0 or later without the licence module oauth-enterprise: \
             use --silent --without-provider, or stay on 8.x"
        }
        _ => "",
    };
    let sentence = format!("{error}{help}");
    if error.is_passing() { Failure::Unreachable(sentence) } else { Failure::Failed(sentence) }
}
