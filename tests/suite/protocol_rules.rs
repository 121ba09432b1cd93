//! What a strict client would look at: discovery, keys, endpoints, tokens and claims, rule by rule.

mod endpoints;
mod id_token;
mod logout;
mod metadata;
mod person;
mod requests;
