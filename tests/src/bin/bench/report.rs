//! The table and the file.

use crate::load::Rate;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// What a row is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    pub name: &'static str,
    pub rate: Rate,
    /// The least ratio that reaches the target.
    pub least: f64,
}

struct Row {
    name: String,
    rate: Rate,
    floor: Option<Floor>,
    target: &'static str,
}

#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    memory: Vec<(String, f64, Option<f64>)>,
    starts: Vec<Duration>,
    /// (row, rate before, rate after, wrong answers on the filled database)
    compared: Vec<(String, f64, f64, u64)>,
}

impl Report {
    pub(crate) fn row(&mut self, name: &str, rate: Rate, floor: Option<Floor>, target: &'static str) {
        eprintln!("{name}: {:.0}/s, {:.1} µs", rate.per_second, rate.cpu_micros);
        self.rows.push(Row { name: name.to_owned(), rate, floor, target });
    }

    pub(crate) fn memory(&mut self, name: &str, mib: f64, most: Option<f64>) {
        self.memory.push((name.to_owned(), mib, most));
    }

    pub(crate) fn start(&mut self, starts: &[Duration]) {
        self.starts = starts.to_vec();
        self.starts.sort_unstable();
    }

    /// Notes the rates of the same rows on a filled database.
    pub(crate) fn compare(&mut self, filled: &Self) {
        for before in self.rows.iter().filter(|row| !row.name.starts_with('(') && row.rate.cpu_micros > 0.0) {
            if let Some(after) = filled.rows.iter().find(|row| row.name == before.name) {
                self.compared.push((before.name.clone(), relative(before), relative(after), after.rate.errors));
            }
        }
    }

    pub(crate) fn print(&self) {
        println!("\n| | requests/s | p50 ms | p99 ms | server CPU µs | floor | ratio | target | |");
        println!("|---|---:|---:|---:|---:|---|---:|---|---|");
        for row in &self.rows {
            let rate = row.rate;
            let (floor, ratio) = row.floor.map_or((String::new(), String::new()), |floor| {
                (
                    format!("{} {}/s", floor.name, thousands(floor.rate.per_second)),
                    format!("{:.0} %", 100.0 * rate.per_second / floor.rate.per_second),
                )
            });
            let cpu = if rate.cpu_micros > 0.0 { format!("{:.1}", rate.cpu_micros) } else { String::new() };
            let verdict = match (reached(row), rate.errors) {
                (_, errors) if errors > 0 => format!("{errors} errors"),
                (Some(true), _) => "reached".to_owned(),
                (Some(false), _) => "**missed**".to_owned(),
                (None, _) => String::new(),
            };
            println!(
                "| {} | {} | {:.2} | {:.2} | {cpu} | {floor} | {ratio} | {} | {verdict} |",
                row.name,
                thousands(rate.per_second),
                rate.p50_ms,
                rate.p99_ms,
                row.target
            );
        }
        println!("\n| | measured | target | |\n|---|---:|---|---|");
        for (name, mib, most) in &self.memory {
            let target = most.map_or(String::new(), |most| format!("≤ {most:.0} MiB"));
            println!("| resident memory: {name} | {mib:.1} MiB | {target} | {} |", most.map_or("", |most| said(*mib <= most)));
        }
        if let Some(median) = self.starts.get(self.starts.len() / 2) {
            let said = said(*median <= Duration::from_millis(100));
            println!("| start to first answer, median of {} | {:.0} ms | ≤ 100 ms | {said} |", self.starts.len(), median.as_secs_f64() * 1e3);
        }
        if !self.compared.is_empty() {
            println!("\n| | empty | filled | ratio | within 20 % |\n|---|---:|---:|---:|---|");
            for (name, before, after, errors) in &self.compared {
                let verdict = if *errors > 0 { format!("{errors} errors") } else { said(after / before >= 0.8).to_owned() };
                println!("| {name} | {before:.3} | {after:.3} | {:.0} % | {verdict} |", 100.0 * after / before);
            }
            println!("\nRates are relative to their floors of the same minutes where there is one, and per microsecond of CPU elsewhere.");
        }
    }

    pub(crate) fn save(&self, path: &str) {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let floor = row.floor.map(
                    |floor| json!({"name": floor.name, "per_second": floor.rate.per_second, "ratio": row.rate.per_second / floor.rate.per_second}),
                );
                json!({
                    "name": row.name, "per_second": row.rate.per_second, "p50_ms": row.rate.p50_ms, "p99_ms": row.rate.p99_ms,
                    "cpu_micros": row.rate.cpu_micros, "errors": row.rate.errors, "floor": floor, "target": row.target, "reached": reached(row),
                })
            })
            .collect();
        let memory: Vec<Value> = self.memory.iter().map(|(name, mib, most)| json!({"name": name, "mib": mib, "most": most})).collect();
        let starts: Vec<f64> = self.starts.iter().map(|start| start.as_secs_f64() * 1e3).collect();
        let compared: Vec<Value> = self
            .compared
            .iter()
            .map(|(name, before, after, errors)| json!({"name": name, "empty": before, "filled": after, "errors": errors}))
            .collect();
        let document = json!({"rows": rows, "memory": memory, "start_ms": starts, "filled": compared});
        let path = Path::new(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder of artifacts");
        std::fs::write(path, serde_json::to_vec_pretty(&document).expect("JSON")).expect("the file of the numbers");
    }
}

/// What can be compared between two moments of a noisy machine.
fn relative(row: &Row) -> f64 {
    row.floor.map_or(1.0 / row.rate.cpu_micros.max(0.001), |floor| row.rate.per_second / floor.rate.per_second)
}

fn reached(row: &Row) -> Option<bool> {
    match (row.floor, row.target) {
        (_, "") => None,
        (Some(floor), _) => Some(row.rate.per_second >= floor.least * floor.rate.per_second),
        (None, "≥ 25,000/s or ≤ 40 µs") => Some(row.rate.per_second >= 25_000.0 || row.rate.cpu_micros <= 40.0),
        (None, "≥ 1,500/s") => Some(row.rate.per_second >= 1500.0),
        (None, "p99 < 20 ms") => Some(row.rate.p99_ms < 20.0),
        (None, _) => None,
    }
}

fn said(reached: bool) -> &'static str {
    if reached { "reached" } else { "**missed**" }
}

/// `25,000`
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
