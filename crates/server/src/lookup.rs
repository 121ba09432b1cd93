//! Clients, people and grants, from memory where that is true and from the database otherwise.

use crate::state::AppState;
use propusk_domain::client::RegisteredClient;
use propusk_domain::grant::Grant;
use propusk_domain::user::User;
use propusk_domain::{Result, UnixTime};
use propusk_protocol::{AccessTokenClaims, redirect_uri};
use std::collections::HashSet;
use std::sync::Arc;

/// What an access token hangs on.
pub struct TokenStanding {
    /// Its client.
    pub client: Option<Arc<RegisteredClient>>,
    /// Its grant.
    pub grant: Option<Arc<Grant>>,
    /// Its person.
    pub user: Option<Arc<User>>,
}

/// The one entry of the cache of origins.
const ORIGINS: &str = "all";

impl AppState {
    /// A client with its role map.
    pub async fn client(&self, client_id: &str, now: UnixTime) -> Result<Option<Arc<RegisteredClient>>> {
        if self.caches.are_fresh()
            && let Some(client) = self.caches.clients.find(client_id)
        {
            return Ok(Some(client));
        }
        let began = self.caches.epoch();
        let wanted = client_id.to_owned();
        let client = self.read(now, move |cx| Ok(RegisteredClient::load(cx.store, &wanted)?)).await?.map(Arc::new);
        if let Some(client) = &client {
            self.caches.fill(&self.caches.clients, client_id, Arc::clone(client), began);
        }
        Ok(client)
    }

    /// Everything that an access token hangs on: no hop when all of it is in memory, one otherwise.
    pub async fn standing(&self, claims: &AccessTokenClaims, now: UnixTime) -> Result<TokenStanding> {
        let grant_id = propusk_domain::access_token::grant_id(claims);
        let own = claims.sub == claims.client_id;
        if self.caches.are_fresh() {
            let client = self.caches.clients.find(&claims.client_id);
            let grant = self.caches.grants.find(grant_id);
            let user = if own { None } else { self.caches.users.find(&claims.sub) };
            if client.is_some() && grant.is_some() && (own || user.is_some()) {
                return Ok(TokenStanding { client, grant, user });
            }
        }
        let began = self.caches.epoch();
        let (client_id, wanted, sub) = (claims.client_id.clone(), grant_id.to_owned(), claims.sub.clone());
        let found = self
            .read(now, move |cx| {
                Ok(TokenStanding {
                    client: RegisteredClient::load(cx.store, &client_id)?.map(Arc::new),
                    grant: cx.store.find_grant(&wanted)?.map(Arc::new),
                    user: if own { None } else { cx.store.find_user(&sub)?.map(Arc::new) },
                })
            })
            .await?;
        if let Some(client) = &found.client {
            self.caches.fill(&self.caches.clients, &claims.client_id, Arc::clone(client), began);
        }
        if let Some(grant) = &found.grant {
            self.caches.fill(&self.caches.grants, grant_id, Arc::clone(grant), began);
        }
        if let Some(user) = &found.user {
            self.caches.fill(&self.caches.users, &claims.sub, Arc::clone(user), began);
        }
        Ok(found)
    }

    /// The origins of public clients' redirect URIs: the only ones that may call the token endpoint from a page.
    pub async fn public_origins(&self, now: UnixTime) -> Result<Arc<HashSet<String>>> {
        if self.caches.are_fresh()
            && let Some(origins) = self.caches.origins.find(ORIGINS)
        {
            return Ok(origins);
        }
        let began = self.caches.epoch();
        let clients = self.read(now, |cx| Ok(cx.store.list_clients()?)).await?;
        let public = clients.iter().filter(|client| client.is_public() && !client.disabled);
        let origins = public.flat_map(|client| &client.settings.redirect_uris).filter_map(|uri| redirect_uri::origin(uri)).collect();
        let origins = Arc::new(origins);
        self.caches.fill(&self.caches.origins, ORIGINS, Arc::clone(&origins), began);
        Ok(origins)
    }
}
