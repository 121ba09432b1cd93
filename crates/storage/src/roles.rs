//! Roles of the site and the maps to what clients are told.

use crate::connection::Both;
use crate::error::StorageError;
use crate::schema::{role_maps, roles};
use crate::transaction::Tx;
use diesel::prelude::*;
use diesel::upsert::excluded;
use propusk_domain::Fault;
use propusk_domain::records::ChangeKind;
use propusk_domain::roles::RoleMap;
use propusk_domain::store::{Roles, Stored};

impl Roles for Tx<'_> {
    fn list_roles(&mut self) -> Stored<Vec<String>> {
        self.run("listing roles", |c| roles::table.order(roles::name).select(roles::name).load(c))
    }

    fn insert_role(&mut self, role: &str) -> Stored<bool> {
        let row = roles::name.eq(role);
        let count = self.run("adding a role", |c| Both(diesel::insert_into(roles::table).values(row).on_conflict_do_nothing()).execute(c))?;
        Ok(count == 1)
    }

    fn delete_role(&mut self, role: &str) -> Stored<bool> {
        let count = self.run("removing a role", |c| diesel::delete(roles::table.find(role)).execute(c))?;
        Ok(count == 1)
    }

    fn list_role_maps(&mut self) -> Stored<Vec<RoleMap>> {
        let rows: Vec<(String, String)> =
            self.run("listing role maps", |c| role_maps::table.order(role_maps::name).select((role_maps::name, role_maps::body)).load(c))?;
        rows.into_iter()
            .map(|(name, body)| {
                let map: RoleMap = serde_json::from_str(&body).map_err(|error| StorageError::corrupt("role_maps", &name, "body", error))?;
                Ok(RoleMap { name, ..map })
            })
            .collect()
    }

    fn put_role_map(&mut self, map: &RoleMap) -> Stored<()> {
        let body = serde_json::to_string(map).map_err(Fault::broken)?;
        let row = (role_maps::name.eq(&map.name), role_maps::body.eq(body));
        let newer = role_maps::body.eq(excluded(role_maps::body));
        self.run("keeping a role map", |c| {
            Both(diesel::insert_into(role_maps::table).values(row).on_conflict(role_maps::name).do_update().set(newer)).execute(c)
        })?;
        self.changed(ChangeKind::RoleMaps, "");
        Ok(())
    }

    fn delete_role_map(&mut self, name: &str) -> Stored<bool> {
        let count = self.run("removing a role map", |c| diesel::delete(role_maps::table.find(name)).execute(c))?;
        if count == 1 {
            self.changed(ChangeKind::RoleMaps, "");
        }
        Ok(count == 1)
    }
}
