//! Every `propusk …` of the documentation is understood by the real binary: verbs, switches and their values.

use super::{blocks, pages, prose, root};
use propusk_domain::Cause;
use propusk_domain::rocketchat::guide::GUIDE;
use propusk_domain::trace::diagnosis::{Finding, Language};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

#[test]
fn every_command_of_the_documentation_exists() {
    let mut commands = BTreeSet::new();
    for language in ["en", "ru"] {
        for (name, page) in pages(language) {
            let found = of_page(&page);
            assert!(name == "api.md" || !found.is_empty(), "no command in {language}/{name}");
            commands.extend(found);
        }
    }
    commands.extend(of_page(&std::fs::read_to_string(root().join("README.md")).unwrap()));
    assert!(commands.len() > 40, "{commands:?}");
    all_understood(&commands);
}

#[test]
fn every_command_that_an_explanation_gives_exists() {
    let mut texts: Vec<&str> = Cause::ALL.iter().flat_map(|cause| [cause.advice(), cause.advice_ru()]).collect();
    for language in [Language::English, Language::Russian] {
        texts.extend(Finding::ALL.iter().map(|finding| finding.fix(language)));
        texts.extend(GUIDE.iter().map(|entry| entry.fix(language)));
    }
    let commands: BTreeSet<Vec<String>> = texts.into_iter().flat_map(of_sentence).collect();
    assert!(commands.len() > 25, "{commands:?}");
    all_understood(&commands);
}

#[test]
fn a_command_that_does_not_exist_is_noticed() {
    for wrong in ["propusk usr list", "propusk user list --colour", "propusk client set site --first-party on", "propusk client set site --alg HS256"]
    {
        assert!(!understood(&words(wrong)).is_empty(), "{wrong}");
    }
    for right in ["propusk user list --search an", "PROPUSK__HTTP__LISTEN=127.0.0.1:9000 propusk serve", "propusk client add s --preset web"] {
        let [command] = &simple_commands(right)[..] else { panic!("{right}") };
        assert_eq!(understood(command), "", "{right}");
    }
}

fn all_understood(commands: &BTreeSet<Vec<String>>) {
    let wrong: Vec<String> = commands.iter().map(|command| understood(command)).filter(|problem| !problem.is_empty()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the binary objects to; empty when it would do it.
fn understood(command: &[String]) -> String {
    let own = std::env::current_exe().unwrap();
    let binary = own.parent().and_then(Path::parent).unwrap().join("propusk");
    assert!(binary.exists(), "build it first: cargo build -p propusk");
    // Help is printed once everything before it was understood.
    let output = Command::new(binary).args(&command[1..]).arg("--help").output().unwrap();
    if output.status.success() { String::new() } else { format!("{}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr)) }
}

/// The commands of the shell blocks and of the code within sentences.
fn of_page(page: &str) -> Vec<Vec<String>> {
    let shell = blocks(page).into_iter().filter(|block| block.kind.is_empty() || block.kind.starts_with("sh"));
    let mut commands: Vec<Vec<String>> = shell.flat_map(|block| simple_commands(&block.text.replace("\\\n", " "))).collect();
    commands.extend(prose(page).split('`').skip(1).step_by(2).filter(|code| code.starts_with("propusk ")).flat_map(simple_commands));
    commands
}

/// The commands within a sentence that has no marks for code: up to a sign, or to a word that can be no argument.
fn of_sentence(text: &str) -> Vec<Vec<String>> {
    text.match_indices("propusk ").map(|(at, _)| super::generated::command_at(&text[at..])).map(words).filter(|command| command.len() > 1).collect()
}

/// The simple commands of a script that run `propusk`.
fn simple_commands(script: &str) -> Vec<Vec<String>> {
    let lines = script.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let parts = lines.flat_map(|line| line.split(['|', ';', '<', '>']).map(str::to_owned).collect::<Vec<_>>());
    let command = |part: String| {
        let part = part.split(" # ").next().unwrap_or_default().split("   (").next().unwrap_or_default().to_owned();
        let words = words(&part);
        let at = words.iter().position(|word| word == "propusk")?;
        let before = &words[..at];
        let runs = before.iter().all(|word| word.contains('=') || matches!(word.as_str(), "sudo" | "-u" | "exec" | "docker" | "compose" | "&&"));
        (runs && words.len() > at + 1).then(|| words[at..].to_vec())
    };
    parts.filter_map(command).collect()
}

/// Words as a shell takes them.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in text.chars() {
        match (quote, letter) {
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == letter => quote = None,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
