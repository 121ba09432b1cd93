//! Puts the commit into `propusk --version`. A tree without git, or without a commit, builds as "unknown". Packs the relocations and
//! lays the functions of a start side by side.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a build script speaks to cargo by standard output and the environment")]

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    // The loader reads every relocation at the start: 900 KB unpacked, 40 KB packed. A linker that cannot says so and goes on.
    println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        order_functions();
    }
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

/// The kernel maps 64 KB around each page that is touched, so what a start touches is resident together with its neighbours: 13 MB of
/// the program when its functions lie scattered, 3 MB side by side. Written by `tests/bench/order.sh`.
fn order_functions() {
    let list = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("functions.order");
    println!("cargo:rerun-if-changed={}", list.display());
    let mut option = OsString::from("-Wl,--no-warn-symbol-ordering,--symbol-ordering-file=");
    option.push(&list);
    if linker_knows(&option) {
        println!("cargo:rustc-link-arg-bins={}", option.display());
    }
}

/// Whether the linker of this build takes the option; only LLD does. Asked by linking an empty program.
fn linker_knows(option: &OsString) -> bool {
    let variable = |name| std::env::var_os(name).unwrap_or_default();
    let [directory, target, linker] = ["OUT_DIR", "TARGET", "RUSTC_LINKER"].map(variable);
    let program = Path::new(&directory).join("empty.rs");
    if std::fs::write(&program, "fn main() {}").is_err() {
        return false;
    }
    let mut rustc = Command::new(variable("RUSTC"));
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
    if !linker.is_empty() {
        rustc.args([OsString::from("-C"), joined("linker=", &linker)]);
    }
    rustc.arg("--target").arg(target).arg("--out-dir").arg(&directory).arg(&program);
    rustc.args([OsString::from("-C"), joined("link-arg=", option)]);
    rustc.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn joined(name: &str, value: &OsString) -> OsString {
    let mut joined = OsString::from(name);
    joined.push(value);
    joined
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
