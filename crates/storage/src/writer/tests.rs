//! The rules of the batch, without a server around them.

use super::*;
use crate::Database;
use propusk_domain::store::{Grants, Roles};
use std::sync::mpsc::{Sender, channel};

type Answer = (usize, Result<(), String>);

fn fresh() -> (tempfile::TempDir, Target) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/a.db", directory.path().display());
    Database::migrate(&url).unwrap();
    (directory, Target::parse(&url).unwrap())
}

fn scribe(target: &Target) -> Scribe {
    let connection = connect(target, Role::Writer, 100).unwrap();
    Scribe {
        target: target.clone(),
        file: None,
        patience: Duration::from_millis(100),
        busy_timeout_ms: 100,
        connection: Some(connection),
        last_idle: Instant::now(),
        listener: Listener::default(),
        changes: Vec::new(),
    }
}

fn job(index: usize, answers: &Sender<Answer>, mut work: impl FnMut(&mut Tx<'_>) -> Result<(), Error> + Send + 'static) -> Box<dyn Job> {
    let answers = answers.clone();
    let done = move |outcome: Result<(), Error>| {
        let outcome = outcome.map_err(|error| match error {
            Error::Fault(fault) => fault.to_string(),
            Error::Refused(refusal) => refusal.public.to_owned(),
        });
        answers.send((index, outcome)).unwrap();
    };
    Box::new(Task::new(move |tx: &mut Tx<'_>| work(tx), done))
}

/// Runs the jobs as one batch and then stops; the answers in order.
fn run_batch(scribe: Scribe, jobs: Vec<Box<dyn Job>>, heard: &Receiver<Answer>) -> Vec<Answer> {
    let (queue, messages) = sync_channel(QUEUE);
    for job in jobs {
        queue.send(Message::Job(job)).unwrap();
    }
    drop(queue);
    scribe.run(&messages);
    heard.try_iter().collect()
}

fn roles(target: &Target) -> Vec<String> {
    Tx::new(&mut connect(target, Role::Reader, 1000).unwrap()).list_roles().unwrap()
}

fn add(tx: &mut Tx<'_>, role: &str) -> Result<(), Error> {
    Ok(tx.insert_role(role).map(drop)?)
}

#[test]
fn one_fault_of_a_batch_rolls_back_alone() {
    let (_directory, target) = fresh();
    let (answers, heard) = channel();
    let jobs = (0..5)
        .map(|index| {
            job(index, &answers, move |tx| {
                add(tx, &format!("r{index}"))?;
                if index == 2 { Err(Fault::broken("no").into()) } else { Ok(()) }
            })
        })
        .collect();
    let answers = run_batch(scribe(&target), jobs, &heard);
    assert_eq!(
        answers.iter().map(|(index, answer)| (*index, answer.is_ok())).collect::<Vec<_>>(),
        [(0, true), (1, true), (2, false), (3, true), (4, true)]
    );
    assert_eq!(roles(&target), ["r0", "r1", "r3", "r4"]);
}

/// The page limit is what a full disk looks like to SQLite; it ends the transaction when the cache has spilled.
#[test]
fn a_full_database_answers_no_closure_with_its_own_success() {
    let (_directory, target) = fresh();
    let mut scribe = scribe(&target);
    scribe.connection.as_mut().unwrap().batch_execute("PRAGMA max_page_count = 100; PRAGMA cache_size = 5; PRAGMA cache_spill = 5").unwrap();
    let (answers, heard) = channel();
    let jobs = (0..4)
        .map(|index| {
            job(index, &answers, move |tx| {
                let rows = if index == 2 { 400 } else { 1 };
                (0..rows).try_for_each(|row| add(tx, &format!("{index}-{row}-{}", "x".repeat(1000))))
            })
        })
        .collect();
    let answers = run_batch(scribe, jobs, &heard);
    assert_eq!(answers.len(), 4);
    let kept = roles(&target);
    for (index, answer) in answers {
        let here = kept.iter().any(|role| role.starts_with(&format!("{index}-")));
        assert_eq!(answer.is_ok(), here, "closure {index} was told {answer:?}");
    }
    assert!(!kept.iter().any(|role| role.starts_with("2-")));
}

#[test]
fn a_lost_transaction_is_a_fault_for_everyone_in_it_and_for_nobody_after() {
    let (_directory, target) = fresh();
    let (answers, heard) = channel();
    let mut jobs: Vec<Box<dyn Job>> = (0..3).map(|index| job(index, &answers, move |tx| add(tx, &format!("r{index}")))).collect();
    // As if the database had ended the transaction by itself: an I/O error does that.
    jobs.push(job(3, &answers, |tx| {
        tx.run("ending the transaction", |c| c.batch_execute("ROLLBACK"))?;
        Ok(())
    }));
    jobs.push(job(4, &answers, |tx| add(tx, "r4")));
    let answers = run_batch(scribe(&target), jobs, &heard);
    let told: Vec<bool> = answers.iter().map(|(_, answer)| answer.is_ok()).collect();
    assert_eq!(told, [false, false, false, false, true], "{answers:?}");
    assert_eq!(roles(&target), ["r4"]);
}

#[test]
fn a_failed_commit_is_a_fault_for_everyone() {
    let (_directory, target) = fresh();
    let (answers, heard) = channel();
    let mut jobs: Vec<Box<dyn Job>> = (0..3).map(|index| job(index, &answers, move |tx| add(tx, &format!("r{index}")))).collect();
    // A constraint that is checked at the commit alone fails it.
    jobs.push(job(3, &answers, |tx| {
        let orphan = "PRAGMA defer_foreign_keys = ON; INSERT INTO sign_in_names (key, sub, name, kind) VALUES ('k', 'nobody', 'k', 'alias')";
        Ok(tx.run("breaking the commit", |c| c.batch_execute(orphan))?)
    }));
    let answers = run_batch(scribe(&target), jobs, &heard);
    assert!(answers.len() == 4 && answers.iter().all(|(_, answer)| answer.is_err()), "{answers:?}");
    assert_eq!(roles(&target), Vec::<String>::new());
}

#[test]
fn a_panicking_receiver_does_not_stop_the_writer() {
    let (_directory, target) = fresh();
    let (answers, heard) = channel();
    let panicking: Box<dyn Job> = Box::new(Task::new(|tx: &mut Tx<'_>| add(tx, "first"), |_: Result<(), Error>| panic!("the receiver panics")));
    let answers = run_batch(scribe(&target), vec![panicking, job(1, &answers, |tx| add(tx, "second"))], &heard);
    assert_eq!(answers, [(1, Ok(()))]);
    assert_eq!(roles(&target), ["first", "second"]);
}

#[test]
fn a_full_queue_and_a_stopped_writer_answer_at_once() {
    let (_directory, target) = fresh();
    let writer = Writer::start(target, 1000, Listener::default()).unwrap();
    let (answers, heard) = channel();
    let (open, gate) = sync_channel::<()>(0);
    writer.enqueue(job(0, &answers, move |_| {
        let _ = gate.recv();
        Ok(())
    }));
    for index in 1..QUEUE + 10 {
        writer.enqueue(job(index, &answers, |tx| Ok(tx.deny_token("j", propusk_domain::UnixTime(1))?)));
    }
    let refused = heard.try_iter().count();
    assert!((8..=10).contains(&refused), "{refused} beyond the queue were answered while it was full");
    drop(open);
    writer.stop();
    assert_eq!(heard.try_iter().filter(|(_, answer)| answer.is_ok()).count() + refused, QUEUE + 10, "what was queued is committed before the end");
    assert!(!writer.is_alive());
    writer.enqueue(job(0, &answers, |_| Ok(())));
    assert!(heard.try_recv().unwrap().1.is_err());
    writer.join();
}
