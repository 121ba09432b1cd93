//! Puts the commit into `propusk --version`. A tree without git, or without a commit, builds as "unknown". Packs the relocations.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a build script speaks to cargo by standard output and the environment")]

use std::process::Command;

fn main() {
    // The loader reads every relocation at the start: 900 KB unpacked, 40 KB packed. A linker that cannot says so and goes on.
    println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    println!("cargo:rerun-if-env-changed=PROPUSK_COMMIT");
    // The log of HEAD grows with every commit, checkout and reset.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|path| std::path::Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={log}");
    } else {
        println!("cargo:rerun-if-changed=build.rs");
    }
    // An image that is built without the repository hands the commit in.
    let given = std::env::var_os("PROPUSK_COMMIT").and_then(|commit| commit.into_string().ok()).filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| git(&["rev-parse", "--short=12", "HEAD"])).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=PROPUSK_COMMIT={commit}");
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
