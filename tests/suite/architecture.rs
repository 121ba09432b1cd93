//! The line of crates (`protocol → crypto → domain → storage → server → cli`) and the size of files, read from the tree.

use propusk_domain::Cause;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A crate, the workspace crates left of it that it may name, and the ways out of the process that it may use.
const ROWS: &[(&str, &[&str], &[&str])] = &[
    ("protocol", &[], &[]),
    ("crypto", &["propusk-protocol"], &[]),
    ("domain", &["propusk-protocol", "propusk-crypto"], &[]),
    ("storage", &["propusk-protocol", "propusk-crypto", "propusk-domain"], &["diesel", "diesel_migrations", "libsqlite3-sys", "r2d2", "redis"]),
    (
        "server",
        &["propusk-protocol", "propusk-crypto", "propusk-domain", "propusk-storage"],
        &["actix-web", "config", "lettre", "prometheus-client", "rustls", "tokio", "tracing-subscriber", "ureq"],
    ),
    ("cli", &["propusk-protocol", "propusk-crypto", "propusk-domain", "propusk-storage", "propusk-server"], &["actix-web", "openidconnect"]),
];

/// What reaches files, sockets, threads, databases or the clock, by the beginning of its name.
const OUTWARD: &[&str] = &[
    "actix",
    "async-",
    "axum",
    "config",
    "diesel",
    "futures",
    "hyper",
    "ldap3",
    "lettre",
    "libsqlite3",
    "metrics",
    "mio",
    "moka",
    "native-tls",
    "notify",
    "openidconnect",
    "openssl",
    "opentelemetry",
    "postgres",
    "prometheus",
    "r2d2",
    "rand",
    "redis",
    "reqwest",
    "rusqlite",
    "rustls",
    "smol",
    "sqlx",
    "tempfile",
    "time",
    "chrono",
    "tokio",
    "tower",
    "tracing-",
    "ureq",
];

/// No file of Rust is longer; generated and vendored ones there are none.
const LONGEST_FILE: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn manifest(directory: &Path) -> toml::Table {
    std::fs::read_to_string(directory.join("Cargo.toml")).unwrap().parse().unwrap()
}

/// The names of a manifest's dependencies, those of single targets included; tests may use what they like.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|table| table.values());
    for part in std::iter::once(manifest).chain(targets.filter_map(toml::Value::as_table)) {
        for kind in ["dependencies", "build-dependencies"] {
            names.extend(part.get(kind).and_then(toml::Value::as_table).into_iter().flat_map(|table| table.keys().cloned()));
        }
    }
    names
}

/// What a crate names without being allowed to.
fn beyond(row: &(&str, &[&str], &[&str]), names: &BTreeSet<String>) -> Vec<String> {
    let (_, crates, outward) = row;
    let forbidden = |name: &&String| {
        let of_ours = name.starts_with("propusk") && !crates.contains(&name.as_str());
        of_ours || (OUTWARD.iter().any(|begin| name.starts_with(begin)) && !outward.contains(&name.as_str()))
    };
    names.iter().filter(forbidden).cloned().collect()
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && !matches!(name.as_str(), "target" | "node_modules" | "data") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_crate_uses_only_what_stands_to_its_left() {
    let listed: BTreeSet<String> = ROWS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let present: BTreeSet<String> =
        std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(present, listed);
    for row in ROWS {
        let names = dependencies(&manifest(&root().join("crates").join(row.0)));
        assert_eq!(beyond(row, &names), Vec::<String>::new(), "crates/{} reaches beyond its row", row.0);
    }
}

#[test]
fn a_crate_that_reaches_beyond_its_row_is_seen() {
    let text = "[dependencies]\nserde = '1'\ntokio = '1'\npropusk-server = {}\n[target.'cfg(unix)'.dependencies]\nreqwest = '1'\n[dev-dependencies]\nredis = '1'";
    let names = dependencies(&text.parse().unwrap());
    assert_eq!(beyond(&ROWS[2], &names), ["propusk-server", "reqwest", "tokio"]);
}

#[test]
fn the_workspace_holds_the_crates_and_the_tests_alone() {
    let workspace = manifest(&root());
    let members: BTreeSet<&str> = workspace["workspace"]["members"].as_array().unwrap().iter().map(|member| member.as_str().unwrap()).collect();
    let expected: BTreeSet<String> = ROWS.iter().map(|(name, ..)| format!("crates/{name}")).chain(["tests".to_owned()]).collect();
    assert_eq!(members, expected.iter().map(String::as_str).collect());
}

#[test]
fn no_file_of_rust_is_over_five_hundred_lines() {
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files);
    rust_files(&root().join("tests"), &mut files);
    assert!(files.len() > 100, "only {} files found", files.len());
    let long: Vec<String> = files
        .iter()
        .map(|path| (path, std::fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{}: {lines}", path.strip_prefix(root()).unwrap().display()))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn every_cause_has_a_slug_of_its_own() {
    let slugs: Vec<&str> = Cause::ALL.iter().map(|cause| cause.slug()).collect();
    let distinct: BTreeSet<&str> = slugs.iter().copied().collect();
    assert_eq!(distinct.len(), slugs.len());
    for slug in slugs {
        assert!(slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{slug}");
    }
}
