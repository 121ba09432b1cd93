//! The settings in the forms that people need.

use crate::output::table;
use clap::ValueEnum;
use propusk_domain::rocketchat::settings::{self, Options, Setting};
use propusk_domain::rocketchat::{CUSTOM, catalogue};
use serde_json::{Value, json};

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// What to type into the administration page
    Table,
    /// Environment variables: initial values and their OVERWRITE_SETTING_ twins
    Env,
    /// A fragment of a compose file
    Compose,
    /// A shell script of REST calls
    Rest,
    /// One document
    Json,
}

/// The language of field names and button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// English
    En,
    /// Russian
    Ru,
}

/// The settings with what the forms need to know beside them.
pub(crate) struct Rendered<'a> {
    pub(crate) settings: &'a [Setting],
    pub(crate) options: &'a Options,
    pub(crate) language: Language,
}

impl Rendered<'_> {
    pub(crate) fn form(&self, form: Form) -> String {
        match form {
            Form::Table => self.table(),
            Form::Env => self.env(),
            Form::Compose => self.compose(),
            Form::Rest => self.rest(),
            Form::Json => serde_json::to_string_pretty(&self.json()).unwrap_or_default(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        let list: Vec<Value> = self.settings.iter().map(|setting| json!({ "_id": setting.id, "value": setting.value })).collect();
        let environment: serde_json::Map<String, Value> = self.variables().into_iter().map(|(name, value)| (name, value.into())).collect();
        json!({
            "chat_url": self.options.chat_url,
            "provider": self.options.name,
            "redirect_uri": settings::redirect_uri(&self.options.chat_url, &self.options.name),
            "settings": list,
            "environment": environment,
        })
    }

    fn table(&self) -> String {
        let (head, general, field, value) = match self.language {
            Language::En => ("Administration → Settings → OAuth → Add custom OAuth, name", "Further settings", "FIELD", "VALUE"),
            Language::Ru => ("Администрирование → Настройки → OAuth → Добавить собственный OAuth, имя", "Прочие настройки", "ПОЛЕ", "ЗНАЧЕНИЕ"),
        };
        let secret = match self.language {
            Language::En => "(as printed when it was made; --rotate-secret makes a new one)",
            Language::Ru => "(как показан при создании; --rotate-secret создаст новый)",
        };
        let rows = catalogue::PROVIDER.iter().filter_map(|known| {
            let label = if self.language == Language::Ru { known.russian } else { known.english };
            let id = format!("{CUSTOM}{}{}", self.options.name, known.suffix);
            let value = self.settings.iter().find(|setting| setting.id == id).map(|setting| self.typed(&setting.value));
            let value = value.or_else(|| (known.suffix == "-secret").then(|| secret.to_owned()))?;
            Some([label.to_owned(), value])
        });
        let provider = format!("{CUSTOM}{}", self.options.name);
        let others = self.settings.iter().filter(|setting| !setting.id.starts_with(&provider));
        let others = others.map(|setting| [setting.id.clone(), self.typed(&setting.value)]);
        format!("{head} {}:\n\n{}\n{general}:\n\n{}", self.options.name, table([field, value], rows), table([field, value], others))
    }

    fn typed(&self, value: &Value) -> String {
        match (value, self.language) {
            (Value::Bool(true), Language::En) => "on".to_owned(),
            (Value::Bool(false), Language::En) => "off".to_owned(),
            (Value::Bool(true), Language::Ru) => "вкл".to_owned(),
            (Value::Bool(false), Language::Ru) => "выкл".to_owned(),
            (Value::String(text), Language::En) if text.is_empty() => "(empty)".to_owned(),
            (Value::String(text), Language::Ru) if text.is_empty() => "(пусто)".to_owned(),
            (Value::String(text), _) => text.clone(),
            (other, _) => other.to_string(),
        }
    }

    /// Initial values first, then what keeps them so: an initial value is read once in the life of a database.
    fn variables(&self) -> Vec<(String, String)> {
        let provider = format!("{CUSTOM}{}", self.options.name);
        let mut variables = vec![(format!("Accounts_OAuth_Custom_{}", self.options.name), "true".to_owned())];
        for setting in self.settings {
            let Some(suffix) = setting.id.strip_prefix(&provider).filter(|suffix| !suffix.is_empty()) else { continue };
            // Read as text, and "false" is true; its twin below is read as what it is.
            if suffix != "-map_channels" {
                variables.push((format!("Accounts_OAuth_Custom_{}{}", self.options.name, suffix.replacen('-', "_", 1)), plain(&setting.value)));
            }
        }
        variables.extend(self.settings.iter().map(|setting| (format!("OVERWRITE_SETTING_{}", setting.id), plain(&setting.value))));
        variables
    }

    fn env(&self) -> String {
        let lines: String = self.variables().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        format!(
            "# For an env file of the container (docker run --env-file): a shell cannot export names with a dash.\n{}{lines}",
            if self.options.silent { TOKEN_SECRET } else { "" }
        )
    }

    fn compose(&self) -> String {
        let mut text = "services:\n  rocketchat:\n    environment:\n".to_owned();
        for (name, value) in self.variables() {
            // A JSON string is a YAML string; a dollar sign would begin a variable of the compose file.
            text += &format!("      {name}: {}\n", Value::from(value.replace('$', "$$")));
        }
        if self.options.silent {
            text += "      # the content of rocketchat.create_token_secret_file; to 7.x CREATE_TOKENS_FOR_USERS: \"true\" instead\n";
            text += "      CREATE_TOKENS_FOR_USERS_SECRET: ${CREATE_TOKENS_FOR_USERS_SECRET:?}\n";
        }
        text
    }

    fn rest(&self) -> String {
        let calls: String = self
            .settings
            .iter()
            .map(|setting| {
                let body = json!({ "value": setting.value }).to_string();
                let verb = if setting.optional { "try" } else { "put" };
                format!("{verb} {} <<'EOF'\n{body}\nEOF\n", setting.id)
            })
            .collect();
        let name = json!({ "name": self.options.name });
        format!(
            "{}CHAT='{}'\n{}post settings.addCustomOAuth <<'EOF' >/dev/null\n{name}\nEOF\n{calls}{}",
            SCRIPT_HEAD, self.options.chat_url, SCRIPT, SCRIPT_END
        )
    }
}

/// Where the token secret belongs: it is no setting of the chat.
const TOKEN_SECRET: &str = "\
# The content of rocketchat.create_token_secret_file; to 7.x CREATE_TOKENS_FOR_USERS=true instead.
# CREATE_TOKENS_FOR_USERS_SECRET=
";

const SCRIPT_HEAD: &str = "\
#!/bin/sh
# Sets up the chat by its REST API. Needs curl and sha256sum. ADMIN is the administrator's name (root unless said otherwise); the password is
# asked for, or is the first line of standard input. With an authenticator app, TOTP is its code.
set -eu
umask 077
";

const SCRIPT: &str = r#"
ADMIN=${ADMIN:-root}
if [ -t 0 ]; then printf 'Password of %s: ' "$ADMIN" >&2; stty -echo; IFS= read -r password; stty echo; echo >&2; else IFS= read -r password; fi
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

quote() { printf '%s' "$1" | sed 's/[\\"]/\\&/g'; }
post() { curl --silent --show-error --fail-with-body -H @"$headers" -H 'Content-Type: application/json' --data-binary @- "$CHAT/api/v1/$1"; }
put() { post "settings/$1" >/dev/null || { echo "$1 was refused" >&2; exit 1; }; }
try() { post "settings/$1" >/dev/null 2>&1 || echo "$1: this version does not have it" >&2; }
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

code=${TOTP:+",\"code\":\"$TOTP\""}
login=$(printf '{"user":"%s","password":"%s"%s}' "$(quote "$ADMIN")" "$(quote "$password")" "${code:-}" | post login)
{
  printf 'X-User-Id: %s\nX-Auth-Token: %s\n' "$(printf '%s' "$login" | member userId)" "$(printf '%s' "$login" | member authToken)"
  if [ -n "${TOTP:-}" ]; then printf 'X-2fa-Method: totp\nX-2fa-Code: %s\n' "$TOTP"
  else printf 'X-2fa-Method: password\nX-2fa-Code: %s\n' "$(printf '%s' "$password" | sha256sum | cut -d' ' -f1)"; fi
} >"$headers"

"#;

const SCRIPT_END: &str = r#"
printf '{}' | post logout >/dev/null
: >"$headers"
curl --silent --show-error --fail-with-body "$CHAT/api/v1/settings.oauth"
echo
"#;

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
