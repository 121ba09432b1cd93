//! Russian and English: the same files, headings and blocks.

use super::{blocks, pages, prose, root};
use propusk_server::Settings;

#[test]
fn both_languages_have_the_same_pages_headings_and_blocks() {
    let (english, russian) = (pages("en"), pages("ru"));
    let names = |pages: &[(String, String)]| pages.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&english), names(&russian));
    for ((name, en), (_, ru)) in english.iter().zip(&russian) {
        assert_eq!(headings(en), headings(ru), "headings of {name}");
        let bare = |page: &str| blocks(page).into_iter().map(|block| (block.kind, uncommented(&block.text))).collect::<Vec<_>>();
        let (en, ru) = (bare(en), bare(ru));
        assert_eq!(en.len(), ru.len(), "blocks of {name}");
        for (en, ru) in en.iter().zip(&ru) {
            assert_eq!(en, ru, "a block of {name}");
        }
    }
}

#[test]
fn each_page_is_written_in_its_language() {
    let cyrillic = |text: &str| text.chars().filter(|letter| ('а'..='я').contains(&letter.to_ascii_lowercase())).count();
    for (name, page) in pages("en") {
        assert!(cyrillic(&prose(&page)) * 50 < page.chars().count(), "docs/en/{name} is not English");
    }
    for (name, page) in pages("ru") {
        assert!(cyrillic(&prose(&page)) * 4 > prose(&page).chars().count(), "docs/ru/{name} is not Russian");
    }
}

#[test]
fn the_index_names_every_page_and_every_link_leads_somewhere() {
    let index = std::fs::read_to_string(root().join("docs/README.md")).unwrap();
    for language in ["en", "ru"] {
        for (name, page) in pages(language) {
            assert!(index.contains(&format!("({language}/{name})")), "docs/README.md lacks {language}/{name}");
            follow(&format!("docs/{language}/{name}"), &page);
        }
    }
    follow("docs/README.md", &index);
    follow("README.md", &std::fs::read_to_string(root().join("README.md")).unwrap());
}

#[test]
fn every_setting_of_the_documentation_is_one_that_the_server_reads() {
    let mut seen = 0;
    for (name, page) in pages("en") {
        for block in blocks(&page).into_iter().filter(|block| block.kind == "toml") {
            let issuer = if block.text.contains("issuer =") { "" } else { "issuer = \"https://id.example.org\"\n" };
            let problem = Settings::from_sources(Some(&format!("{issuer}{}", block.text)), []).err().map(|error| error.to_string());
            // The files of a page's examples are not here.
            let problem = problem.filter(|problem| problem.lines().skip(1).any(|line| !line.contains("No such file")));
            assert_eq!(problem, None, "docs/en/{name}:\n{}", block.text);
            seen += 1;
        }
    }
    assert!(seen > 2);
}

#[test]
fn the_lines_that_a_page_quotes_from_a_sample_stand_in_it() {
    let read = |path: &str| std::fs::read_to_string(root().join("deploy").join(path)).unwrap();
    let sources = [
        ("js", read("samples/express/server.mjs")),
        ("rust", read("samples/actix-web/src/main.rs")),
        ("python", read("site/community/api/views.py")),
    ];
    let page = std::fs::read_to_string(root().join("docs/en/api.md")).unwrap();
    for (kind, source) in sources {
        let quoted: Vec<_> = blocks(&page).into_iter().filter(|block| block.kind == kind).collect();
        assert!(!quoted.is_empty() && quoted.iter().all(|block| source.contains(&block.text)), "{quoted:?} is not in the {kind} sample");
    }
}

#[test]
fn the_samples_name_the_versions_that_are_tested() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let packages = |path: &str| serde_json::from_str::<serde_json::Value>(&read(path)).unwrap()["dependencies"].clone();
    assert_eq!(packages("deploy/samples/express/package.json"), packages("tests/samples/package.json"));
    let dependencies = |path: &str, section: &[&str]| {
        let manifest: toml::Value = toml::from_str(&read(path)).unwrap();
        section.iter().fold(manifest, |value, name| value[*name].clone())
    };
    let version = |value: &toml::Value| value.as_str().or_else(|| value["version"].as_str()).unwrap().to_owned();
    let ours = dependencies("Cargo.toml", &["workspace", "dependencies"]);
    let theirs = dependencies("deploy/samples/actix-web/Cargo.toml", &["dependencies"]);
    for (name, wanted) in theirs.as_table().unwrap() {
        assert_eq!(version(wanted), version(&ours[name]), "{name}");
    }
}

/// Every relative link of a page is a file, and its anchor a heading there.
fn follow(path: &str, page: &str) {
    let directory = root().join(path).parent().unwrap().to_owned();
    for link in prose(page).split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.contains("://")) {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = if file.is_empty() { root().join(path) } else { directory.join(file) };
        assert!(target.exists(), "{path}: {link}");
        if !anchor.is_empty() {
            let text = std::fs::read_to_string(&target).unwrap();
            let found = text.lines().filter_map(|line| line.strip_prefix('#')).any(|heading| slug(heading) == anchor);
            assert!(found, "{path}: no heading for {link}");
        }
    }
}

/// The anchor that a heading gets on a forge.
fn slug(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// How deep each heading is.
fn headings(page: &str) -> Vec<usize> {
    prose(page).lines().filter(|line| line.starts_with('#')).map(|line| line.bytes().take_while(|byte| *byte == b'#').count()).collect()
}

/// A block without what is said to people: comments, from their mark on.
fn uncommented(text: &str) -> Vec<String> {
    let mark = |line: &str| [" # ", " // "].iter().filter_map(|mark| line.find(mark)).min().unwrap_or(line.len());
    let whole = |line: &&str| !line.trim_start().starts_with('#') && !line.trim_start().starts_with("//");
    text.lines().filter(whole).map(|line| line.get(..mark(line)).unwrap_or(line).trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}
