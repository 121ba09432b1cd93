//! What the operator has for Rocket.Chat: settings, findings, forecasts.

mod forecast;
mod lint;

use propusk_domain::client::RegisteredClient;
use propusk_domain::rocketchat::Dump;
use propusk_domain::rocketchat::settings::{self, Options};

/// The address that the tools are tried with when nobody asks it.
const ISSUER: &str = "https://id.example.org";
const CHAT: &str = "https://chat.example.org";

fn options() -> Options {
    Options {
        chat_url: CHAT.into(),
        name: "Besedka".into(),
        button: "Войти".into(),
        secret: None,
        silent: false,
        embed: None,
        licensed: false,
        modern: false,
    }
}

/// The settings of a chat that has exactly what is recommended.
fn dump_of(client: &RegisteredClient, options: &Options) -> Dump {
    let mut dump: Dump = settings::recommended(client, ISSUER, options).into_iter().map(|setting| (setting.id, setting.value)).collect();
    dump.insert("Site_Url".into(), CHAT.into());
    dump
}
