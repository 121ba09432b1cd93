//! Durable writes a second: through the writer and bare.
use crate::store::place::{Place, race};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use std::time::Instant;

#[test]
#[ignore = "a measurement"]
fn writes_a_second() {
    for threads in [1, 8, 16, 32, 64] {
        let place = Place::sqlite();
        place.put(crate::store::samples::people_and_clients);
        let database = (*place).clone();
        let total = 8000.min(threads * 600);
        let per = total / threads;
        let begun = Instant::now();
        race(threads, move |t| {
            for n in 0..per {
                database
                    .write(move |store| Ok(store.insert_grant(&crate::store::samples::grant(&format!("{n:08}-{t}"), "s1", "chat"))?))
                    .map_err(|_| ())
                    .unwrap();
            }
        });
        println!("{threads} threads: {:.0} grants/s", (per * threads) as f64 / begun.elapsed().as_secs_f64());
    }
    // bare group commit: 64 and 16 rows a transaction, one connection
    for rows in [1, 4, 8, 16, 32, 64] {
        let dir = tempfile::tempdir().unwrap();
        let mut c = SqliteConnection::establish(dir.path().join("b.db").to_str().unwrap()).unwrap();
        c.batch_execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT)").unwrap();
        let batches = 4000 / rows.max(8);
        let begun = Instant::now();
        for b in 0..batches {
            c.batch_execute("BEGIN IMMEDIATE").unwrap();
            for r in 0..rows {
                diesel::sql_query(format!("INSERT INTO t VALUES ('{b:08}-{r}', 'x{}')", "y".repeat(300))).execute(&mut c).unwrap();
            }
            c.batch_execute("COMMIT").unwrap();
        }
        println!(
            "bare, {rows} rows a commit: {:.0} rows/s, {:.2} ms a commit",
            (batches * rows) as f64 / begun.elapsed().as_secs_f64(),
            begun.elapsed().as_secs_f64() * 1000.0 / batches as f64
        );
    }
}
