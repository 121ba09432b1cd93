//! The tables as diesel sees them; the migrations are the truth and `tests/suite/store.rs` compares the two.

#![allow(missing_docs, unreachable_pub, reason = "diesel's macro writes these items")]

diesel::table! {
    users (sub) {
        sub -> Text,
        username -> Text,
        role -> Text,
        state -> Text,
        locale -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        credential_version -> BigInt,
        claims -> Text,
        search -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    sign_in_names (key) {
        key -> Text,
        sub -> Text,
        name -> Text,
        kind -> Text,
    }
}

diesel::table! {
    clients (client_id) {
        client_id -> Text,
        name -> Text,
        preset -> Text,
        disabled -> Bool,
        first_party -> Bool,
        standing_grant_id -> Text,
        settings -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    client_secrets (id) {
        id -> Text,
        client_id -> Text,
        hash -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    sessions (sid) {
        sid -> Text,
        cookie_digest -> Text,
        sub -> Text,
        auth_time -> BigInt,
        amr -> Text,
        created_at -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        user_agent -> Nullable<Text>,
        address -> Nullable<Text>,
    }
}

diesel::table! {
    grants (id) {
        id -> Text,
        sub -> Nullable<Text>,
        client_id -> Text,
        scope -> Text,
        sid -> Nullable<Text>,
        offline -> Bool,
        auth_time -> Nullable<BigInt>,
        amr -> Text,
        nonce -> Nullable<Text>,
        code_digest -> Nullable<Text>,
        code_redirect_uri -> Nullable<Text>,
        code_redirect_uri_was_sent -> Nullable<Bool>,
        code_challenge -> Nullable<Text>,
        code_expires_at -> Nullable<BigInt>,
        code_redeemed_at -> Nullable<BigInt>,
        refresh_generation -> Nullable<BigInt>,
        refresh_nonce -> Nullable<Text>,
        refresh_rotated_at -> Nullable<BigInt>,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    consents (sub, client_id) {
        sub -> Text,
        client_id -> Text,
        scope -> Text,
        granted_at -> BigInt,
    }
}

diesel::table! {
    personal_tokens (id) {
        id -> Text,
        digest -> Text,
        sub -> Nullable<Text>,
        client_id -> Nullable<Text>,
        name -> Text,
        scope -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    roles (name) {
        name -> Text,
    }
}

diesel::table! {
    role_maps (name) {
        name -> Text,
        body -> Text,
    }
}

diesel::table! {
    sealed_keys (kid) {
        kid -> Text,
        purpose -> Text,
        sealed -> Text,
        created_at -> BigInt,
        active_from -> BigInt,
        published_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    denied_tokens (jti) {
        jti -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    audit (id) {
        id -> Text,
        at -> BigInt,
        kind -> Text,
        sub -> Nullable<Text>,
        client_id -> Nullable<Text>,
        grant_id -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    refusals (reference) {
        reference -> Text,
        at -> BigInt,
        endpoint -> Text,
        error -> Text,
        detail -> Text,
    }
}

diesel::table! {
    changes (seq) {
        seq -> BigInt,
        kind -> Text,
        id -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    change_counter (id) {
        id -> Integer,
        value -> BigInt,
    }
}

diesel::table! {
    ephemeral (key) {
        key -> Text,
        value -> Text,
        number -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    outbox (id) {
        id -> Text,
        topic -> Text,
        key -> Text,
        subject -> Text,
        body -> Text,
        version -> BigInt,
        created_at -> BigInt,
        changed_at -> BigInt,
        attempts -> BigInt,
        next_at -> BigInt,
        lease -> Text,
        leased_until -> BigInt,
        failure -> Nullable<Text>,
        failed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    session_clients (sid, client_id) {
        sid -> Text,
        client_id -> Text,
    }
}

diesel::table! {
    chat_people (sub) {
        sub -> Text,
        chat_id -> Text,
    }
}

diesel::table! {
    chat_tokens (sid) {
        sid -> Text,
        sub -> Text,
        chat_id -> Text,
        sealed -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    chat_state (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    numeric_ids (sub) {
        sub -> Text,
        number -> BigInt,
    }
}

diesel::table! {
    flow_steps (id) {
        id -> Text,
        flow_id -> Nullable<Text>,
        grant_id -> Nullable<Text>,
        client_id -> Text,
        sub -> Nullable<Text>,
        step -> Text,
        at -> BigInt,
        verdict -> Text,
        reference -> Nullable<Text>,
    }
}

diesel::table! {
    imported_users (site_key) {
        site_key -> Text,
        sub -> Text,
        source_digest -> Text,
        local_digest -> Text,
        cost -> Nullable<Text>,
    }
}

diesel::table! {
    imported_clients (client_id) {
        client_id -> Text,
        source_digest -> Text,
        secret_digest -> Text,
        local_digest -> Text,
    }
}

diesel::table! {
    adopted_tokens (digest) {
        digest -> Text,
        kind -> Text,
        grant_id -> Text,
        issued_at -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
}

diesel::joinable!(sign_in_names -> users (sub));
diesel::allow_tables_to_appear_in_same_query!(sign_in_names, users);
diesel::allow_tables_to_appear_in_same_query!(chat_tokens, sessions);
