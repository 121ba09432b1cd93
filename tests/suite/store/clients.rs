//! Clients and their secrets.

use super::place::Place;
use super::samples::{NOW, client, consent, grant, people_and_clients, secret};
use propusk_crypto::Algorithm;
use propusk_domain::client::{Client, ClientSecret, Introspect, Preset};

on_each_database![
    a_client_comes_back_as_stored,
    a_taken_identifier_adds_nothing,
    clients_are_listed_in_the_order_of_bytes,
    a_change_leaves_secrets_and_origin_alone,
    ending_secrets_spares_the_kept_and_the_ending,
    the_last_use_of_a_secret_never_goes_back,
    removing_a_client_removes_everything_of_its_own,
];

fn a_client_comes_back_as_stored(place: &Place) {
    for preset in Preset::ALL {
        let mut stored = Client { preset, settings: preset.settings(), ..client(preset.as_str()) };
        stored.settings.redirect_uris = vec!["https://a.example/?q=\"<ё>'".to_owned(), "http://127.0.0.1/cb".to_owned()];
        stored.settings.audience = Some("https://api.example".to_owned());
        stored.settings.access_token_alg = Algorithm::EdDSA;
        stored.settings.introspect = Introspect::Any;
        stored.secrets[1].expires_at = Some(NOW.plus(5));
        let inserted = stored.clone();
        assert!(place.put(move |store| store.insert_client(&inserted)));
        assert_eq!(place.look(|store| store.find_client(preset.as_str())), Some(stored));
    }
    assert_eq!(place.look(|store| store.find_client("nobody")), None);
}

fn a_taken_identifier_adds_nothing(place: &Place) {
    place.put(people_and_clients);
    let other = Client { name: "other".to_owned(), secrets: vec![secret("other", 0)], ..client("chat") };
    assert!(!place.put(move |store| store.insert_client(&other)));
    assert_eq!(place.look(|store| store.find_client("chat")), Some(client("chat")));
}

fn clients_are_listed_in_the_order_of_bytes(place: &Place) {
    place.put(|store| {
        for client_id in ["b", "A", "a", "~", "B"] {
            assert!(store.insert_client(&client(client_id))?);
        }
        Ok(())
    });
    let clients = place.look(|store| store.list_clients());
    assert_eq!(clients.iter().map(|client| client.client_id.as_str()).collect::<Vec<_>>(), ["A", "B", "a", "b", "~"]);
    assert_eq!(clients[2], client("a"), "each with its own secrets, newest first");
}

fn a_change_leaves_secrets_and_origin_alone(place: &Place) {
    place.put(people_and_clients);
    let mut changed = client("chat");
    "renamed".clone_into(&mut changed.name);
    changed.disabled = true;
    changed.first_party = false;
    changed.settings.native = true;
    changed.updated_at = NOW.plus(5);
    let expected = changed.clone();
    changed.preset = Preset::Api;
    "other".clone_into(&mut changed.standing_grant_id);
    changed.created_at = NOW.plus(5);
    changed.secrets.clear();
    assert!(place.put(move |store| store.update_client(&changed)));
    assert_eq!(place.look(|store| store.find_client("chat")), Some(expected));
    assert!(!place.put(|store| store.update_client(&client("nobody"))));
}

fn ending_secrets_spares_the_kept_and_the_ending(place: &Place) {
    let ends = |at| Some(NOW.plus(at));
    place.put(move |store| {
        people_and_clients(store)?;
        store.insert_client_secret("chat", &ClientSecret { expires_at: ends(5), ..secret("sooner", 10) })?;
        store.insert_client_secret("chat", &ClientSecret { expires_at: ends(500), ..secret("later", 20) })?;
        assert_eq!(store.expire_client_secrets("chat", "chat-new", NOW.plus(60))?, 2, "old and later");
        assert_eq!(store.expire_client_secrets("chat", "chat-new", NOW.plus(60))?, 0);
        Ok(())
    });
    let secrets = place.look(|store| store.find_client("chat")).unwrap().secrets;
    let found: Vec<_> = secrets.iter().map(|secret| (secret.id.as_str(), secret.expires_at)).collect();
    assert_eq!(found, [("chat-new", None), ("sooner", ends(5)), ("later", ends(60)), ("chat-old", ends(60))]);
    assert_eq!(place.look(|store| store.find_client("site")), Some(client("site")));
}

fn the_last_use_of_a_secret_never_goes_back(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.touch_client_secret("chat-new", NOW.plus(60))?;
        store.touch_client_secret("chat-new", NOW)?;
        store.touch_client_secret("nobody's", NOW)
    });
    let secrets = place.look(|store| store.find_client("chat")).unwrap().secrets;
    let used: Vec<_> = secrets.iter().map(|secret| (secret.id.as_str(), secret.last_used_at)).collect();
    assert_eq!(used, [("chat-new", Some(NOW.plus(60))), ("chat-old", None)]);
}

fn removing_a_client_removes_everything_of_its_own(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        for client_id in ["chat", "site"] {
            store.insert_grant(&grant(&format!("g-{client_id}"), "s1", client_id))?;
            store.put_consent(&consent("s1", client_id))?;
        }
        assert!(store.delete_client("chat")?);
        assert!(!store.delete_client("chat")?);
        assert_eq!(store.find_client("chat")?, None);
        for id in ["g-chat", "standing-chat"] {
            assert_eq!(store.find_grant(id)?, None);
        }
        assert_eq!(store.find_consent("s1", "chat")?, None);
        for id in ["g-site", "standing-site"] {
            assert!(store.find_grant(id)?.is_some());
        }
        assert!(store.find_consent("s1", "site")?.is_some());
        assert!(store.insert_client(&client("chat"))?, "the identifier is free again, and so are its secrets'");
        Ok(())
    });
}
