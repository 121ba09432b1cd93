//! Opening, transactions, failures: what holds whatever is stored.

use super::place::{Place, describe, race};
use super::samples::{NOW, grant, people_and_clients, user};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use propusk_domain::{Cause, Error, Fault, Refusal};
use propusk_storage::{Backend, Database, Settings, Submitted};
use propusk_tests::postgres::TemporaryDatabase;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

on_each_database![
    a_refusal_commits_and_a_fault_rolls_back,
    a_panic_rolls_back_its_own_closure_alone,
    a_hidden_failure_keeps_nothing,
    a_reader_cannot_write_and_sees_one_state,
    what_was_answered_survives_reopening,
    a_second_open_finds_nothing_to_migrate,
    an_unmigrated_database_is_refused_without_migrating,
    a_newer_schema_is_refused,
    a_damaged_row_is_named,
    a_submitted_closure_is_answered_once,
    a_ping_answers,
    several_programs_may_migrate_at_once,
];

fn add(place: &Place, sub: &'static str) -> Result<bool, Error> {
    place.write(move |store| Ok(store.insert_user(&user(sub, sub))?))
}

fn exists(place: &Place, sub: &str) -> bool {
    place.look(|store| store.find_user(sub)).is_some()
}

/// A connection of our own, past the store.
fn raw(place: &Place, sql: &str) {
    let sql = sql.to_owned();
    if let Some(path) = place.path() {
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection.batch_execute(&format!("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = OFF; {sql}")).unwrap();
    } else {
        PgConnection::establish(&place.settings.url).unwrap().batch_execute(&sql).unwrap();
    }
}

fn a_refusal_commits_and_a_fault_rolls_back(place: &Place) {
    let refused: Result<(), Error> = place.write(|store| {
        store.insert_user(&user("s1", "anna"))?;
        Err(Refusal::invalid_grant("no", Cause::CodeReused).into())
    });
    assert!(matches!(refused, Err(Error::Refused(refusal)) if refusal.detail.cause == Cause::CodeReused));
    let failed: Result<(), Error> = place.write(|store| {
        store.insert_user(&user("s2", "boris"))?;
        Err(Fault::broken("no").into())
    });
    assert_eq!(failed.map_err(describe), Err("no".to_owned()));
    assert_eq!((exists(place, "s1"), exists(place, "s2")), (true, false));
}

fn a_panic_rolls_back_its_own_closure_alone(place: &Place) {
    let database: Database = (**place).clone();
    let answers = race(16, move |index| {
        database.write(move |store| {
            store.insert_user(&user(&format!("s{index}"), &format!("s{index}")))?;
            assert!(index % 4 != 0, "closure {index} panics");
            Ok(())
        })
    });
    for (index, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(()) => assert!(index % 4 != 0 && exists(place, &format!("s{index}"))),
            Err(error) => {
                assert!(describe(error).contains(&format!("closure {index} panics")));
                assert!(!exists(place, &format!("s{index}")));
            }
        }
    }
    let read: Result<(), Error> = place.read(|_| panic!("a reader panics"));
    assert!(read.map_err(describe).unwrap_err().contains("a reader panics"));
    assert!(place.ping().is_ok() && add(place, "after").unwrap());
}

/// On PostgreSQL a commit after a failed statement answers that all is well and keeps nothing.
fn a_hidden_failure_keeps_nothing(place: &Place) {
    let answer = place.write(|store| {
        store.insert_user(&user("s1", "anna"))?;
        let hidden = store.insert_grant(&grant("g", "nobody", "nothing"));
        assert!(hidden.is_err());
        let after = store.insert_user(&user("s2", "boris"));
        assert!(after.is_err(), "nothing runs after a failure");
        Ok(())
    });
    assert!(matches!(answer, Err(Error::Fault(_))));
    assert_eq!((exists(place, "s1"), exists(place, "s2")), (false, false));
}

fn a_reader_cannot_write_and_sees_one_state(place: &Place) {
    add(place, "s1").unwrap();
    let written = place.read(|store| Ok(store.insert_user(&user("s2", "boris"))?));
    assert!(written.is_err());
    let database: Database = (**place).clone();
    let seen = place.read(move |store| {
        let before = store.find_user("s3")?;
        let written = std::thread::spawn(move || database.write(|store| Ok(store.insert_user(&user("s3", "clara"))?)).map_err(describe)).join();
        assert_eq!(written.unwrap(), Ok(true), "a reader stops no writer");
        Ok((before, store.find_user("s3")?))
    });
    assert_eq!(seen.map_err(describe).unwrap(), (None, None));
    assert!(exists(place, "s3"));
}

fn what_was_answered_survives_reopening(place: &Place) {
    let mut place = if place.backend() == Backend::Sqlite { Place::sqlite() } else { Place::postgres() };
    add(&place, "s1").unwrap();
    place.reopen();
    assert!(exists(&place, "s1"));
    place.shutdown();
    if place.backend() == Backend::Sqlite {
        assert!(add(&place, "s2").is_err(), "nothing is written after the shutdown");
        assert!(!place.writer_is_alive() && place.ping().is_err());
    }
}

fn a_second_open_finds_nothing_to_migrate(place: &Place) {
    assert_eq!(Database::migrate(&place.settings.url).unwrap(), Vec::<String>::new());
    assert_eq!(place.pending().unwrap(), Vec::<String>::new());
    let again = Database::open(&Settings { migrate: false, ..place.settings.clone() }).unwrap();
    assert!(again.ping().is_ok());
}

/// How many there are.
fn migrations() -> usize {
    std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations")).unwrap().count()
}

fn an_unmigrated_database_is_refused_without_migrating(place: &Place) {
    let (directory, database) = (tempfile::tempdir().unwrap(), TemporaryDatabase::create());
    let url = match place.backend() {
        Backend::Sqlite => format!("sqlite:{}/new.db", directory.path().display()),
        Backend::Postgres => database.url.clone(),
    };
    let settings = Settings { url: url.clone(), migrate: false, ..place.settings.clone() };
    let refused = Database::open(&settings).err().unwrap();
    assert!(refused.to_string().contains("run `propusk migrate`"), "{refused}");
    assert_eq!(Database::migrate(&url).unwrap().len(), migrations());
    assert!(Database::open(&settings).is_ok());
}

fn a_newer_schema_is_refused(place: &Place) {
    raw(place, "INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')");
    for migrate in [true, false] {
        let refused = Database::open(&Settings { migrate, ..place.settings.clone() }).err().unwrap();
        assert!(refused.to_string().contains("newer version of Propusk (migration 99991231000000)"), "{refused}");
    }
    assert!(Database::migrate(&place.settings.url).is_err());
}

fn a_damaged_row_is_named(place: &Place) {
    place.put(|store| {
        people_and_clients(store)?;
        store.insert_grant(&grant("g1", "s1", "chat"))
    });
    raw(
        place,
        "UPDATE users SET claims = '{' WHERE sub = 's1'; UPDATE clients SET preset = 'x' WHERE client_id = 'chat'; UPDATE grants SET code_redirect_uri = NULL WHERE id = 'g1'",
    );
    let user = describe(place.read(|store| Ok(store.find_user("s1")?)).unwrap_err());
    assert!(user.contains("\"s1\"") && user.contains("users") && user.contains("claims"), "{user}");
    let client = describe(place.read(|store| Ok(store.find_client("chat")?)).unwrap_err());
    assert!(client.contains("\"chat\"") && client.contains("clients") && client.contains("preset"), "{client}");
    let grant = describe(place.read(|store| Ok(store.find_grant("g1")?)).unwrap_err());
    assert!(grant.contains("\"g1\"") && grant.contains("code_redirect_uri"), "{grant}");
    assert!(exists(place, "s2"), "the others can still be read");
}

fn a_submitted_closure_is_answered_once(place: &Place) {
    let (answers, heard) = channel();
    for index in 0..200 {
        let answers = answers.clone();
        let work = move |store: &mut dyn propusk_domain::store::Store| Ok(store.insert_user(&user(&format!("s{index}"), &format!("s{index}")))?);
        let done = move |outcome: Result<bool, Error>| answers.send((index, outcome.map_err(describe))).unwrap();
        match place.submit(work, done) {
            Submitted::Queued => assert_eq!(place.backend(), Backend::Sqlite),
            Submitted::RunBlocking(work, done) => {
                assert_eq!(place.backend(), Backend::Postgres);
                done(place.write(work));
            }
        }
    }
    drop(answers);
    let mut heard: Vec<_> = heard.iter().collect();
    heard.sort();
    assert_eq!(heard, (0..200).map(|index| (index, Ok(true))).collect::<Vec<_>>());
    assert!(exists(place, "s199"), "answered after the commit");
}

fn a_ping_answers(place: &Place) {
    assert!(place.ping().is_ok() && place.writer_is_alive());
    raw(place, "DROP TABLE change_counter");
    assert!(place.ping().is_err(), "the schema is not this program's any more");
}

fn several_programs_may_migrate_at_once(place: &Place) {
    let (directory, database) = (tempfile::tempdir().unwrap(), TemporaryDatabase::create());
    let url = match place.backend() {
        Backend::Sqlite => format!("sqlite:{}/new.db", directory.path().display()),
        Backend::Postgres => database.url.clone(),
    };
    let migrated = race(4, move |_| Database::migrate(&url).map(|names| names.len()).map_err(|fault| fault.to_string()));
    let counts: Vec<usize> = migrated.into_iter().map(|answer| answer.unwrap()).collect();
    assert_eq!((counts.iter().sum::<usize>(), counts.iter().max()), (migrations(), Some(&migrations())), "one migrates: {counts:?}");
}

#[test]
fn the_database_file_is_its_owners_alone() {
    let place = Place::sqlite();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = place.path().unwrap();
    assert_eq!((mode(path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
}

#[test]
fn a_locked_database_is_a_fault_that_passes() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/a.db", directory.path().display());
    let settings = Settings { url, pool_size: 2, migrate: true, busy_timeout_ms: 3000 };
    let database = Database::open(&settings).unwrap();
    let mut other = SqliteConnection::establish(database.path().unwrap().to_str().unwrap()).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let waiting = database.clone();
    let answers = race(4, move |index| {
        waiting.write(move |store| Ok(store.insert_role(&index.to_string())?)).map_err(|error| matches!(error, Error::Fault(fault) if fault.passing))
    });
    assert_eq!(answers, vec![Err(true); 4]);
    assert!(begun.elapsed() < Duration::from_secs(9), "not one patience after the other");
    assert!(database.read(|store| Ok(store.list_roles()?)).is_ok(), "readers are not concerned");
    other.batch_execute("ROLLBACK").unwrap();
    let later = database.write(|store| Ok(store.insert_role("later")?)).map_err(describe);
    assert_eq!(later, Ok(true), "it recovers by itself");
}

#[test]
fn another_program_gets_its_turn_under_load() {
    let place = Place::sqlite();
    let busy = (*place).clone();
    let other = Database::open(&place.settings).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let load = std::thread::spawn(move || {
        race(8, move |thread| {
            let mut round = 0;
            while !stopped.load(Ordering::Relaxed) {
                round += 1;
                busy.write(move |store| Ok(store.deny_token(&format!("{thread}-{round}"), NOW)?)).map_err(describe).unwrap();
            }
        })
    });
    let waits: Vec<Duration> = (0..20)
        .map(|round| {
            let begun = Instant::now();
            other.write(move |store| Ok(store.insert_role(&format!("r{round}"))?)).map_err(describe).unwrap();
            begun.elapsed()
        })
        .collect();
    stop.store(true, Ordering::Relaxed);
    load.join().unwrap();
    let longest = waits.iter().max().unwrap();
    assert!(*longest < Duration::from_secs(10), "{waits:?}");
}

#[test]
fn a_write_inside_a_write_is_a_fault_instead_of_a_standstill() {
    let place = Place::sqlite();
    let database = (*place).clone();
    let answer = place.write(move |_| database.write(|store| Ok(store.insert_role("inner")?)));
    assert!(describe(answer.unwrap_err()).contains("inside another write"));
}

#[test]
fn both_databases_have_the_same_columns() {
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    let (sqlite, postgres) = (Place::sqlite(), Place::postgres());
    let mut lite = SqliteConnection::establish(sqlite.path().unwrap().to_str().unwrap()).unwrap();
    let of_sqlite: Vec<Column> = diesel::sql_query(
        "SELECT m.name || '.' || c.name || ' ' || lower(c.type) || ' ' || (CASE WHEN c.\"notnull\" THEN 'not null' ELSE 'null' END) AS name \
         FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\' AND m.name NOT LIKE 'sqlite%'",
    )
    .load(&mut lite)
    .unwrap();
    let of_postgres: Vec<Column> = diesel::sql_query(
        "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || (CASE is_nullable WHEN 'NO' THEN 'not null' ELSE 'null' END) AS name \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%'",
    )
    .load(&mut PgConnection::establish(&postgres.settings.url).unwrap())
    .unwrap();
    let sorted = |columns: Vec<Column>| {
        let mut names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
        names.sort();
        names
    };
    let (of_sqlite, of_postgres) = (sorted(of_sqlite), sorted(of_postgres));
    assert!(of_sqlite.len() > 80, "{of_sqlite:?}");
    assert_eq!(of_sqlite, of_postgres);
}

#[test]
fn connections_that_died_idle_cost_nobody_a_request() {
    let place = Place::postgres();
    let database = (*place).clone();
    race(8, move |_| database.ping().map_err(|fault| fault.to_string()));
    for round in 0..3 {
        raw(&place, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
        assert_eq!(place.write(move |store| Ok(store.insert_role(&format!("r{round}"))?)).map_err(describe), Ok(true));
        assert_eq!(place.look(|store| store.list_roles()).len(), round + 1);
    }
}

/// The outcome of a transaction whose connection broke is unknown: running it again could make a code look used twice.
#[test]
fn a_connection_that_dies_midway_is_a_fault_that_passes_and_runs_once() {
    let place = Place::postgres();
    let url = place.settings.url.clone();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let answer = place.write(move |store| {
        counted.fetch_add(1, Ordering::Relaxed);
        store.insert_role("before")?;
        let mut other = PgConnection::establish(&url).unwrap();
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        other.batch_execute(kill).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        Ok(store.insert_role("after")?)
    });
    assert!(matches!(&answer, Err(Error::Fault(fault)) if fault.passing), "{:?}", answer.map_err(describe));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert_eq!(place.look(|store| store.list_roles()), Vec::<String>::new());
}

#[test]
fn a_deadlock_runs_again_instead_of_failing() {
    let place = Place::postgres();
    place.put(people_and_clients);
    let database = (*place).clone();
    let both_hold_one = Arc::new(Barrier::new(2));
    let answers = race(2, move |thread| {
        let meeting = Arc::clone(&both_hold_one);
        let mut first_run = true;
        database.write(move |store| {
            let order = if thread == 0 { ["s1", "s2"] } else { ["s2", "s1"] };
            assert!(store.guard_user(order[0], 1)?);
            if std::mem::take(&mut first_run) {
                meeting.wait();
            }
            Ok(store.guard_user(order[1], 1)?)
        })
    });
    for answer in answers {
        assert_eq!(answer.map_err(describe), Ok(true));
    }
}
