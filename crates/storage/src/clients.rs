//! Clients and their secrets.

use crate::connection::{Both, MultiBackend};
use crate::error::StorageError;
use crate::schema::{client_secrets, clients, grants};
use crate::transaction::Tx;
use diesel::prelude::*;
use propusk_crypto::SecretHash;
use propusk_domain::Fault;
use propusk_domain::client::{Client, ClientSecret, Preset};
use propusk_domain::records::ChangeKind;
use propusk_domain::store::{Clients, Stored};
use propusk_domain::time::UnixTime;
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = clients, check_for_backend(MultiBackend))]
struct ClientRow {
    client_id: String,
    name: String,
    preset: String,
    disabled: bool,
    first_party: bool,
    standing_grant_id: String,
    settings: String,
    created_at: i64,
    updated_at: i64,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = client_secrets, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct SecretRow {
    id: String,
    client_id: String,
    hash: String,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl Clients for Tx<'_> {
    fn find_client(&mut self, client_id: &str) -> Stored<Option<Client>> {
        let row = self.run("finding a client", |c| clients::table.find(client_id).select(ClientRow::as_select()).first(c).optional())?;
        let Some(row) = row else { return Ok(None) };
        let secrets = self.run("finding a client's secrets", |c| {
            client_secrets::table
                .filter(client_secrets::client_id.eq(client_id))
                .order((client_secrets::created_at.desc(), client_secrets::id.desc()))
                .select(SecretRow::as_select())
                .load(c)
        })?;
        row.with_secrets(secrets).map(Some)
    }

    fn list_clients(&mut self) -> Stored<Vec<Client>> {
        let rows = self.run("listing clients", |c| clients::table.order(clients::client_id).select(ClientRow::as_select()).load(c))?;
        let secrets = self.run("listing secrets", |c| {
            client_secrets::table.order((client_secrets::created_at.desc(), client_secrets::id.desc())).select(SecretRow::as_select()).load(c)
        })?;
        let mut by_client: HashMap<String, Vec<SecretRow>> = HashMap::new();
        for secret in secrets {
            by_client.entry(secret.client_id.clone()).or_default().push(secret);
        }
        rows.into_iter()
            .map(|row| {
                let secrets = by_client.remove(&row.client_id).unwrap_or_default();
                row.with_secrets(secrets)
            })
            .collect()
    }

    fn insert_client(&mut self, client: &Client) -> Stored<bool> {
        let row = ClientRow::try_from(client)?;
        let count = self.run("adding a client", |c| Both(diesel::insert_into(clients::table).values(row).on_conflict_do_nothing()).execute(c))?;
        if count == 0 {
            return Ok(false);
        }
        for secret in &client.secrets {
            self.add_secret(&client.client_id, secret)?;
        }
        Ok(true)
    }

    fn update_client(&mut self, client: &Client) -> Stored<bool> {
        let row = ClientRow::try_from(client)?;
        let count = self.run("changing a client", |c| {
            diesel::update(clients::table.find(&row.client_id))
                .set((
                    clients::name.eq(&row.name),
                    clients::disabled.eq(row.disabled),
                    clients::first_party.eq(row.first_party),
                    clients::settings.eq(&row.settings),
                    clients::updated_at.eq(row.updated_at),
                ))
                .execute(c)
        })?;
        if count == 1 {
            self.changed(ChangeKind::Client, &client.client_id);
        }
        Ok(count == 1)
    }

    fn delete_client(&mut self, client_id: &str) -> Stored<bool> {
        let had_grants: bool = self.run("looking for grants", |c| {
            diesel::select(diesel::dsl::exists(grants::table.filter(grants::client_id.eq(client_id)))).get_result(c)
        })?;
        // Secrets, consents and grants go with the row (ON DELETE CASCADE), also those added in this very moment.
        let count = self.run("removing a client", |c| diesel::delete(clients::table.find(client_id)).execute(c))?;
        if count == 0 {
            return Ok(false);
        }
        self.changed(ChangeKind::Client, client_id);
        if had_grants {
            self.changed(ChangeKind::Grant, "");
        }
        Ok(true)
    }

    fn insert_client_secret(&mut self, client_id: &str, secret: &ClientSecret) -> Stored<()> {
        self.add_secret(client_id, secret)?;
        self.changed(ChangeKind::Client, client_id);
        Ok(())
    }

    fn expire_client_secrets(&mut self, client_id: &str, keep: &str, expires_at: UnixTime) -> Stored<usize> {
        let count = self.run("ending secrets", |c| {
            diesel::update(
                client_secrets::table
                    .filter(client_secrets::client_id.eq(client_id))
                    .filter(client_secrets::id.ne(keep))
                    .filter(client_secrets::expires_at.is_null().or(client_secrets::expires_at.gt(expires_at.0))),
            )
            .set(client_secrets::expires_at.eq(expires_at.0))
            .execute(c)
        })?;
        if count > 0 {
            self.changed(ChangeKind::Client, client_id);
        }
        Ok(count)
    }

    fn touch_client_secret(&mut self, id: &str, at: UnixTime) -> Stored<()> {
        self.run("touching a secret", |c| {
            let older = client_secrets::last_used_at.is_null().or(client_secrets::last_used_at.lt(at.0));
            diesel::update(client_secrets::table.find(id).filter(older)).set(client_secrets::last_used_at.eq(at.0)).execute(c)
        })?;
        Ok(())
    }

    fn delete_client_secret(&mut self, client_id: &str, id: &str) -> Stored<bool> {
        let count = self.run("removing a secret", |c| {
            diesel::delete(client_secrets::table.filter(client_secrets::client_id.eq(client_id)).filter(client_secrets::id.eq(id))).execute(c)
        })?;
        if count > 0 {
            self.changed(ChangeKind::Client, client_id);
        }
        Ok(count > 0)
    }
}

impl Tx<'_> {
    /// Without telling caches: a new client is in none.
    fn add_secret(&mut self, client_id: &str, secret: &ClientSecret) -> Stored<()> {
        let row = SecretRow {
            id: secret.id.clone(),
            client_id: client_id.to_owned(),
            hash: secret.hash.as_str().to_owned(),
            created_at: secret.created_at.0,
            expires_at: secret.expires_at.map(|end| end.0),
            last_used_at: secret.last_used_at.map(|at| at.0),
        };
        self.run("adding a secret", |c| diesel::insert_into(client_secrets::table).values(row).execute(c))?;
        Ok(())
    }
}

impl TryFrom<&Client> for ClientRow {
    type Error = Fault;

    fn try_from(client: &Client) -> Result<Self, Fault> {
        Ok(Self {
            client_id: client.client_id.clone(),
            name: client.name.clone(),
            preset: client.preset.as_str().to_owned(),
            disabled: client.disabled,
            first_party: client.first_party,
            standing_grant_id: client.standing_grant_id.clone(),
            settings: serde_json::to_string(&client.settings).map_err(Fault::broken)?,
            created_at: client.created_at.0,
            updated_at: client.updated_at.0,
        })
    }
}

impl ClientRow {
    fn with_secrets(self, secrets: Vec<SecretRow>) -> Stored<Client> {
        let preset = Preset::parse(&self.preset).ok_or_else(|| StorageError::corrupt("clients", &self.client_id, "preset", "is no preset"))?;
        let settings = serde_json::from_str(&self.settings).map_err(|error| StorageError::corrupt("clients", &self.client_id, "settings", error))?;
        Ok(Client {
            client_id: self.client_id,
            name: self.name,
            preset,
            disabled: self.disabled,
            first_party: self.first_party,
            standing_grant_id: self.standing_grant_id,
            settings,
            secrets: secrets.into_iter().map(ClientSecret::from).collect(),
            created_at: UnixTime(self.created_at),
            updated_at: UnixTime(self.updated_at),
        })
    }
}

impl From<SecretRow> for ClientSecret {
    fn from(row: SecretRow) -> Self {
        Self {
            id: row.id,
            hash: SecretHash::from_stored(row.hash),
            created_at: UnixTime(row.created_at),
            expires_at: row.expires_at.map(UnixTime),
            last_used_at: row.last_used_at.map(UnixTime),
        }
    }
}
