//! The documentation: both languages say the same, every command is one that exists, every `curl` line runs, and what is generated is fresh.

mod commands;
mod curl;
mod generated;
mod language;
mod parity;
mod samples;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The pages of a language by file name.
fn pages(language: &str) -> Vec<(String, String)> {
    let directory = root().join("docs").join(language);
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<(String, String)> =
        names.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap())).collect();
    pages.sort();
    assert!(!pages.is_empty());
    pages
}

/// A fenced block: what follows the fence, and its lines.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    kind: String,
    text: String,
}

/// The fenced blocks of a page.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        let line = line.trim_end();
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(kind), None) => open = Some(Block { kind: kind.to_owned(), text: String::new() }),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text += "\n";
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert_eq!(open, None, "a block is never closed");
    blocks
}

/// A page without its blocks.
fn prose(page: &str) -> String {
    let mut inside = false;
    let outside = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    page.lines().filter(outside).flat_map(|line| [line, "\n"]).collect()
}
