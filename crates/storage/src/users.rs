//! People and their sign-in names.

use crate::connection::{Both, MultiBackend, Sql};
use crate::error::StorageError;
use crate::schema::{grants, sign_in_names, users};
use crate::transaction::Tx;
use diesel::prelude::*;
use propusk_domain::records::ChangeKind;
use propusk_domain::store::{PeoplePage, Stored, Users};
use propusk_domain::time::UnixTime;
use propusk_domain::user::{NameKind, SignInName, User, UserState};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = users, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct UserRow {
    sub: String,
    username: String,
    role: String,
    state: String,
    locale: Option<String>,
    password_hash: Option<String>,
    credential_version: i64,
    claims: String,
    search: String,
    created_at: i64,
    updated_at: i64,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sign_in_names, check_for_backend(MultiBackend))]
struct NameRow {
    key: String,
    sub: String,
    name: String,
    kind: String,
}

impl Users for Tx<'_> {
    fn find_user(&mut self, sub: &str) -> Stored<Option<User>> {
        let row = self.run("finding a person", |c| users::table.find(sub).select(UserRow::as_select()).first(c).optional())?;
        row.map(User::try_from).transpose()
    }

    fn find_user_by_name(&mut self, key: &str) -> Stored<Option<User>> {
        let row = self.run("finding a person by name", |c| {
            sign_in_names::table.inner_join(users::table).filter(sign_in_names::key.eq(key)).select(UserRow::as_select()).first(c).optional()
        })?;
        row.map(User::try_from).transpose()
    }

    fn list_users(&mut self, after: Option<&str>, search: Option<&str>, limit: i64) -> Stored<Vec<User>> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        self.page_users(&PeoplePage { after: own(after), search: own(search), limit, ..PeoplePage::default() })
    }

    fn page_users(&mut self, wanted: &PeoplePage) -> Stored<Vec<User>> {
        let mut query = users::table.into_boxed::<MultiBackend>();
        if let Some(after) = &wanted.after {
            query = query.filter(users::username.gt(after));
        }
        if let Some(search) = wanted.search.as_deref().filter(|text| !text.is_empty()) {
            query = query.filter(users::search.like(containing(search)).escape('\\'));
        }
        if let Some(role) = &wanted.role {
            query = query.filter(users::role.eq(role));
        }
        if let Some(state) = wanted.state {
            query = query.filter(users::state.eq(state.as_str()));
        }
        let rows = self.run("listing people", |c| query.order(users::username).limit(wanted.limit).select(UserRow::as_select()).load(c))?;
        rows.into_iter().map(User::try_from).collect()
    }

    fn insert_user(&mut self, user: &User) -> Stored<bool> {
        let row = UserRow::try_from(user)?;
        let count = self.run("adding a person", |c| Both(diesel::insert_into(users::table).values(row).on_conflict_do_nothing()).execute(c))?;
        Ok(count == 1)
    }

    /// A username that somebody else has is a fault: ask `insert_sign_in_name` first.
    fn update_user(&mut self, user: &User, expected_version: i64) -> Stored<bool> {
        let row = UserRow::try_from(user)?;
        let count = self.run("changing a person", |c| {
            diesel::update(users::table.find(&row.sub).filter(users::credential_version.eq(expected_version)))
                .set((
                    users::username.eq(&row.username),
                    users::role.eq(&row.role),
                    users::state.eq(&row.state),
                    users::locale.eq(&row.locale),
                    users::password_hash.eq(&row.password_hash),
                    users::credential_version.eq(row.credential_version),
                    users::claims.eq(&row.claims),
                    users::search.eq(&row.search),
                    users::updated_at.eq(row.updated_at),
                ))
                .execute(c)
        })?;
        if count == 1 {
            self.password_replaced(&user.sub, user.password_hash.as_deref())?;
            self.changed(ChangeKind::User, &user.sub);
        }
        Ok(count == 1)
    }

    fn delete_user(&mut self, sub: &str) -> Stored<bool> {
        let had_grants: bool =
            self.run("looking for grants", |c| diesel::select(diesel::dsl::exists(grants::table.filter(grants::sub.eq(sub)))).get_result(c))?;
        let sids: Vec<String> = self.run("looking for sessions", |c| {
            use crate::schema::sessions;
            sessions::table.filter(sessions::sub.eq(sub)).select(sessions::sid).load(c)
        })?;
        // Names, consents, sessions and grants go with the row (ON DELETE CASCADE), also those added in this very moment.
        let count = self.run("removing a person", |c| diesel::delete(users::table.find(sub)).execute(c))?;
        if count == 0 {
            return Ok(false);
        }
        self.password_replaced(sub, None)?;
        self.changed(ChangeKind::User, sub);
        for sid in &sids {
            self.changed(ChangeKind::Session, sid);
        }
        if had_grants {
            self.changed(ChangeKind::Grant, "");
        }
        Ok(true)
    }

    fn guard_user(&mut self, sub: &str, expected_version: i64) -> Stored<bool> {
        const GUARD: &str = "UPDATE users SET state = state WHERE sub = ? AND credential_version = ? AND state = ?";
        let values = [sub.into(), expected_version.into(), UserState::Active.as_str().into()];
        let count = self.run("guarding a person", |c| Sql::<3>::new(GUARD, values).execute(c))?;
        Ok(count == 1)
    }

    fn replace_password_hash(&mut self, sub: &str, expected_version: i64, hash: &str) -> Stored<bool> {
        let count = self.run("replacing a password hash", |c| {
            diesel::update(users::table.find(sub).filter(users::credential_version.eq(expected_version)))
                .set(users::password_hash.eq(hash))
                .execute(c)
        })?;
        if count == 1 {
            self.password_replaced(sub, Some(hash))?;
        }
        Ok(count == 1)
    }

    fn list_sign_in_names(&mut self, sub: &str) -> Stored<Vec<SignInName>> {
        let rows = self.run("listing names", |c| {
            sign_in_names::table.filter(sign_in_names::sub.eq(sub)).order(sign_in_names::key).select(NameRow::as_select()).load(c)
        })?;
        rows.into_iter().map(SignInName::try_from).collect()
    }

    fn insert_sign_in_name(&mut self, name: &SignInName) -> Stored<bool> {
        let row = NameRow { key: name.key.clone(), sub: name.sub.clone(), name: name.name.clone(), kind: name.kind.as_str().to_owned() };
        let count = self.run("adding a name", |c| Both(diesel::insert_into(sign_in_names::table).values(row).on_conflict_do_nothing()).execute(c))?;
        Ok(count == 1)
    }

    fn delete_sign_in_name(&mut self, sub: &str, key: &str) -> Stored<bool> {
        let count = self.run("removing a name", |c| diesel::delete(sign_in_names::table.find(key).filter(sign_in_names::sub.eq(sub))).execute(c))?;
        Ok(count == 1)
    }
}

/// A LIKE pattern for `text` anywhere, whatever it holds; the column is in lower case already.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// Username, address and names in lower case, a line each.
fn searched(user: &User) -> String {
    let claims = &user.claims;
    let whole = claims.name.as_deref().unwrap_or_default();
    let parts = [&claims.given_name, &claims.family_name].into_iter().flatten().map(String::as_str).filter(|part| !whole.contains(part));
    let lines: Vec<&str> = [user.username.as_str(), claims.email.as_deref().unwrap_or_default(), whole].into_iter().chain(parts).collect();
    lines.join("\n").to_lowercase()
}

impl TryFrom<&User> for UserRow {
    type Error = propusk_domain::Fault;

    fn try_from(user: &User) -> Result<Self, Self::Error> {
        Ok(Self {
            sub: user.sub.clone(),
            username: user.username.clone(),
            role: user.role.clone(),
            state: user.state.as_str().to_owned(),
            locale: user.locale.clone(),
            password_hash: user.password_hash.clone(),
            credential_version: user.credential_version,
            claims: serde_json::to_string(&user.claims).map_err(propusk_domain::Fault::broken)?,
            search: searched(user),
            created_at: user.created_at.0,
            updated_at: user.updated_at.0,
        })
    }
}

impl TryFrom<UserRow> for User {
    type Error = propusk_domain::Fault;

    fn try_from(row: UserRow) -> Result<Self, Self::Error> {
        let state = UserState::parse(&row.state).ok_or_else(|| StorageError::corrupt("users", &row.sub, "state", "is no state"))?;
        let claims = serde_json::from_str(&row.claims).map_err(|error| StorageError::corrupt("users", &row.sub, "claims", error))?;
        Ok(Self {
            sub: row.sub,
            username: row.username,
            role: row.role,
            state,
            locale: row.locale,
            password_hash: row.password_hash,
            credential_version: row.credential_version,
            claims,
            created_at: UnixTime(row.created_at),
            updated_at: UnixTime(row.updated_at),
        })
    }
}

impl TryFrom<NameRow> for SignInName {
    type Error = propusk_domain::Fault;

    fn try_from(row: NameRow) -> Result<Self, Self::Error> {
        let kind = NameKind::parse(&row.kind).ok_or_else(|| StorageError::corrupt("sign_in_names", &row.key, "kind", "is no kind"))?;
        Ok(Self { key: row.key, sub: row.sub, name: row.name, kind })
    }
}
