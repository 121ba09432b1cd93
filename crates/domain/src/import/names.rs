//! Usernames that a chat takes, made of names in any alphabet.

use super::record::short_digest;
use crate::error::Fault;
use crate::store::Store;
use crate::user::{MAX_USERNAME, is_valid_username, name_key};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Which names of the dump are spoken for. Names are held as 64 bits of a digest: 100,000 people take a few megabytes.
#[derive(Debug, Default)]
pub struct NameBook {
    /// The key of a name as the site has it → whose it is.
    owners: HashMap<u64, u64>,
    /// The keys of names that this run made or that a mapping file gives.
    made: HashSet<u64>,
    /// Name at the site → username here, from the mapping file.
    chosen: HashMap<String, String>,
    /// The names of the mapping file that nobody was found to have yet.
    unmatched: BTreeSet<String>,
    /// The key of an address → whose it is.
    addresses: HashMap<u64, u64>,
}

impl NameBook {
    /// With what the operator has chosen; refuses a name that no chat takes, or that is given twice.
    pub fn new(chosen: HashMap<String, String>) -> Result<Self, String> {
        let mut made = HashSet::new();
        for (site, username) in &chosen {
            if !is_valid_username(username) {
                return Err(format!("{site} → {username}: a username is 1 to 64 characters of A-Z, a-z, 0-9, dot, underscore and hyphen"));
            }
            if !made.insert(short_digest(&name_key(username))) {
                return Err(format!("{site} → {username}: the username is given twice"));
            }
        }
        let unmatched = chosen.keys().cloned().collect();
        Ok(Self { made, chosen, unmatched, ..Self::default() })
    }

    /// What a person's address is remembered by: 64 bits, whatever its case.
    pub fn digest(site_key: &str, email: &str) -> u64 {
        short_digest(&format!("{site_key}\n{}", name_key(email)))
    }

    /// Notes whose name it is before anybody is taken over, so that an exact name is never given to somebody else.
    pub fn reserve(&mut self, name: &str, site_key: &str) {
        self.unmatched.remove(name);
        self.owners.entry(short_digest(&name_key(name))).or_insert_with(|| short_digest(site_key));
    }

    /// The names of the mapping file that nobody at the site has.
    pub fn unmatched(&self) -> impl Iterator<Item = &str> {
        self.unmatched.iter().map(String::as_str)
    }

    /// Notes whose address it is.
    pub fn reserve_address(&mut self, email: &str, site_key: &str) {
        self.addresses.entry(short_digest(&name_key(email))).or_insert_with(|| short_digest(site_key));
    }

    /// Whether somebody earlier in the dump has the same address but for case.
    pub fn is_duplicate_address(&self, email: &str, site_key: &str) -> bool {
        self.addresses.get(&short_digest(&name_key(email))).is_some_and(|owner| *owner != short_digest(site_key))
    }

    /// Whether somebody earlier in the dump has the same name but for case or Unicode form.
    pub fn is_duplicate(&self, name: &str, site_key: &str) -> bool {
        self.owners.get(&short_digest(&name_key(name))).is_some_and(|owner| *owner != short_digest(site_key))
    }

    /// The username that the operator has chosen.
    pub fn chosen(&self, name: &str) -> Option<&str> {
        self.chosen.get(name).map(String::as_str)
    }

    /// A free username for somebody who cannot keep theirs.
    pub fn make(&mut self, store: &mut dyn Store, name: &str, site_key: &str) -> Result<String, Fault> {
        let base = chat_safe(name).unwrap_or_else(|| chat_safe(&format!("user-{site_key}")).unwrap_or_else(|| "user".to_owned()));
        let mut number = 1_u32;
        loop {
            let username = if number == 1 { base.clone() } else { numbered(&base, number) };
            let key = name_key(&username);
            let digest = short_digest(&key);
            let free = !self.owners.contains_key(&digest) && !self.made.contains(&digest) && store.find_user_by_name(&key)?.is_none();
            if free {
                self.made.insert(digest);
                return Ok(username);
            }
            number += 1;
        }
    }
}

/// `name` in the letters of a username; `None` when nothing of it is left.
fn chat_safe(name: &str) -> Option<String> {
    let mut safe = String::new();
    for character in any_ascii::any_ascii(name).chars() {
        let character = if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') { character } else { '-' };
        if character != '-' || !safe.ends_with('-') {
            safe.push(character);
        }
        if safe.len() == MAX_USERNAME {
            break;
        }
    }
    Some(safe.trim_matches('-').to_owned()).filter(|safe| !safe.is_empty())
}

fn numbered(base: &str, number: u32) -> String {
    let suffix = format!("-{number}");
    let room = MAX_USERNAME - suffix.len();
    format!("{}{suffix}", base.get(..base.len().min(room)).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_alphabet_become_names_that_a_chat_takes() {
        let cases = [
            ("Анна", Some("Anna")),
            ("Щукин Пётр", Some("Shchukin-Petr")),
            ("anna@example.org", Some("anna-example.org")),
            ("anna+test", Some("anna-test")),
            ("名前", Some("MingQian")),
            ("  ", None),
            ("@@@", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(chat_safe(name).as_deref(), expected, "{name}");
            assert!(chat_safe(name).is_none_or(|safe| is_valid_username(&safe)), "{name}");
        }
        assert_eq!(chat_safe(&"Ж".repeat(100)).unwrap().len(), MAX_USERNAME);
        assert_eq!(numbered(&"a".repeat(64), 12).len(), MAX_USERNAME);
    }

    #[test]
    fn a_mapping_with_a_bad_or_repeated_name_is_refused() {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert!(NameBook::new(map(&[("Анна", "anna"), ("Борис", "boris")])).is_ok());
        assert!(NameBook::new(map(&[("Анна", "анна")])).is_err());
        assert!(NameBook::new(map(&[("Анна", "anna"), ("Аня", "ANNA")])).is_err());
    }
}
