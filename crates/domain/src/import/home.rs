//! The way home: what of a person is different here from what the site says of them. Everything else of their record is the site's.

use super::people::is_as_taken_over;
use super::{Record, site_user};
use crate::error::Fault;
use crate::imported::ImportedUser;
use crate::user::{SignInName, User};
use serde_json::{Value, json};

/// How the site calls things.
#[derive(Debug, Clone, Default)]
pub struct HomeChoices {
    /// The column with the role; without one roles stay here.
    pub role_field: Option<String>,
    /// (Role here, role at the site); the first of a role is what it becomes, and each further one is left where it stands.
    pub role_map: Vec<(String, String)>,
    /// Whether hashes of passwords go along.
    pub with_hashes: bool,
}

impl HomeChoices {
    /// What a role is called at the site.
    pub fn role<'a>(&'a self, ours: &'a str) -> &'a str {
        self.role_map.iter().find(|(from, _)| from == ours).map_or(ours, |(_, site)| site)
    }

    /// Whether a role of the site is one that the role here may have come from.
    fn fits(&self, ours: &str, site: &str) -> bool {
        self.role(ours) == site || self.role_map.iter().any(|(from, to)| from == ours && to == site)
    }
}

/// A person who came from the site; `None` when they were removed here since.
#[derive(Debug, Clone)]
pub struct Homecomer {
    /// The person with their names.
    pub here: Option<(User, Vec<SignInName>)>,
    /// What the import remembered.
    pub row: ImportedUser,
}

/// The columns of a record that get another value. Columns that the model does not have are never among them.
///
/// Who was changed neither by an operator nor by themselves since the import is told nothing but a password; who was removed here
/// must not be let in again by the way home, so they are inactive there.
pub fn changes(record: &Record, person: &Homecomer, choices: &HomeChoices) -> Result<Vec<(String, Value)>, Fault> {
    let Some((user, names)) = &person.here else { return Ok(active(record, false).into_iter().collect()) };
    let mut changed: Vec<(String, Value)> = password(record, person, user, choices).into_iter().collect();
    if !is_as_taken_over(user, names, &person.row)? {
        changed.extend(active(record, user.is_active()));
        changed.extend(email(record, user));
        changed.extend(full_name(record, user));
        changed.extend(role(record, user, choices));
    }
    changed.retain(|(column, _)| record.fields.contains_key(column));
    Ok(changed)
}

/// Our own Argon2id by the name that Django's hasher has; a foreign hash as it came; a wrapped one is nothing to Django.
pub fn django_hash(stored: &str) -> Option<String> {
    if let Some(phc) = stored.strip_prefix('$') {
        return phc.starts_with("argon2").then(|| format!("argon2${phc}"));
    }
    (!stored.starts_with("wrapped_")).then(|| stored.to_owned())
}

/// A hash that is still the imported one is the site's own, wrapped or not: the site has it, or a newer one.
fn password(record: &Record, person: &Homecomer, user: &User, choices: &HomeChoices) -> Option<(String, Value)> {
    if !choices.with_hashes || person.row.cost.is_some() {
        return None;
    }
    let hash = django_hash(user.password_hash.as_deref()?)?;
    (record.text("password") != Some(hash.as_str())).then(|| ("password".to_owned(), json!(hash)))
}

fn active(record: &Record, is_active: bool) -> Option<(String, Value)> {
    (record.flag("is_active")? != is_active).then(|| ("is_active".to_owned(), json!(is_active)))
}

fn email(record: &Record, user: &User) -> Option<(String, Value)> {
    let ours = user.claims.email.as_deref();
    (site_user::email_of(record) != ours).then(|| ("email".to_owned(), json!(ours.unwrap_or_default())))
}

/// A name that was changed as a whole stands as the first one: nobody here knows where it would be split.
fn full_name(record: &Record, user: &User) -> Vec<(String, Value)> {
    let claims = &user.claims;
    let site = [site_user::short_text(record, "first_name"), site_user::short_text(record, "last_name")];
    let parts = [claims.given_name.as_deref(), claims.family_name.as_deref()];
    let joined = |parts: [Option<&str>; 2]| parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let wanted = match claims.name.as_deref() {
        Some(name) if name != joined(parts) => [Some(name).filter(|name| *name != joined(site)), None],
        _ => parts,
    };
    if wanted == [None, None] && claims.name.is_some() {
        return Vec::new();
    }
    let columns = ["first_name", "last_name"].into_iter().zip(site).zip(wanted);
    columns.filter(|((_, site), wanted)| site != wanted).map(|((column, _), wanted)| (column.to_owned(), json!(wanted.unwrap_or_default()))).collect()
}

fn role(record: &Record, user: &User, choices: &HomeChoices) -> Option<(String, Value)> {
    let column = choices.role_field.as_deref()?;
    let site = record.reference(column).unwrap_or_default();
    (!choices.fits(&user.role, &site)).then(|| (column.to_owned(), json!(choices.role(&user.role))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::import::people::local_digest;
    use crate::time::UnixTime;
    use crate::user::UserState;
    use propusk_protocol::StandardClaims;

    fn person() -> Homecomer {
        let claims = StandardClaims {
            name: Some("Anna Petrova".to_owned()),
            given_name: Some("Anna".to_owned()),
            family_name: Some("Petrova".to_owned()),
            email: Some("anna@example.org".to_owned()),
            ..StandardClaims::default()
        };
        let user = User {
            sub: "7".to_owned(),
            username: "anna".to_owned(),
            role: "user".to_owned(),
            state: UserState::Active,
            locale: None,
            password_hash: Some("wrapped_md5$x".to_owned()),
            credential_version: 1,
            claims,
            created_at: UnixTime(0),
            updated_at: UnixTime(0),
        };
        let row = ImportedUser {
            site_key: "7".to_owned(),
            sub: "7".to_owned(),
            source_digest: String::new(),
            local_digest: local_digest(&user, &[]).unwrap(),
            cost: Some("wrapped_md5".to_owned()),
        };
        Homecomer { here: Some((user, Vec::new())), row }
    }

    fn record(more: &str) -> Record {
        let fields =
            r#""username":"anna","password":"md5$s$x","is_active":true,"email":"anna@example.org","first_name":"Anna","last_name":"Petrova""#;
        Record::parse(&format!(r#"{{"model":"a.b","pk":7,"fields":{{{fields}{more}}}}}"#)).unwrap()
    }

    fn changed(record: &Record, person: &Homecomer) -> Vec<(String, Value)> {
        let role_map = [("user", "member"), ("user", "reader"), ("owner", "admin")].map(|(ours, site)| (ours.to_owned(), site.to_owned())).to_vec();
        changes(record, person, &HomeChoices { role_field: Some("role".to_owned()), role_map, with_hashes: true }).unwrap()
    }

    #[test]
    fn who_is_as_they_came_changes_nothing_whatever_the_site_has_made_of_them_since() {
        assert_eq!(changed(&record(r#","role":"boss","is_active":false,"email":"new@example.org""#), &person()), []);
    }

    #[test]
    fn what_was_changed_here_is_told_and_nothing_else() {
        let mut person = person();
        person.row.cost = None;
        let (user, _) = person.here.as_mut().unwrap();
        user.password_hash = Some("$argon2id$v=19$m=1,t=1,p=1$a$b".to_owned());
        assert_eq!(changed(&record(""), &person), [("password".to_owned(), json!("argon2$argon2id$v=19$m=1,t=1,p=1$a$b"))]);
        let (user, _) = person.here.as_mut().unwrap();
        user.password_hash = None;
        user.claims.email = None;
        user.claims.name = Some("Anna of here".to_owned());
        let expected = [("email", json!("")), ("first_name", json!("Anna of here")), ("last_name", json!(""))];
        let expected = expected.map(|(column, value)| (column.to_owned(), value));
        assert_eq!(changed(&record(r#","role":"reader""#), &person), expected, "reader is one of the roles that user came from");
        assert_eq!(changed(&record(r#","role":"admin""#), &person).last(), Some(&("role".to_owned(), json!("member"))));
        let (user, _) = person.here.as_mut().unwrap();
        user.state = UserState::Disabled;
        assert_eq!(changed(&record(""), &person).first(), Some(&("is_active".to_owned(), json!(false))));
    }

    #[test]
    fn an_address_that_was_never_taken_over_stays() {
        let mut person = person();
        let (user, _) = person.here.as_mut().unwrap();
        user.claims.email = None;
        user.role = "owner".to_owned();
        assert_eq!(changed(&record(r#","email":"not-mail","role":"admin""#), &person), []);
    }

    #[test]
    fn who_was_removed_here_does_not_come_back_as_an_active_account() {
        let person = Homecomer { here: None, ..person() };
        assert_eq!(changed(&record(""), &person), [("is_active".to_owned(), json!(false))]);
        assert_eq!(changed(&record(r#","is_active":false"#), &person), []);
    }
}
