//! `docs/*/login-fails.md` is written from the tables that `propusk explain`, `propusk trace` and the doctors read. After a change of a table:
//!
//! ```sh
//! PROPUSK_UPDATE_DOCS=1 cargo test -p propusk-tests --test suite docs::generated
//! ```

use super::root;
use propusk_domain::Cause;
use propusk_domain::rocketchat::guide::{GUIDE, Topic};
use propusk_domain::trace::diagnosis::{Finding, Language};
use std::fmt::Write;

const BEGIN_EN: &str = "\
# Why a login fails

<!-- Generated from the tables of the program; tests/suite/docs/generated.rs says how. -->

Three commands say it, in this order.

**Somebody sees a page or a message with a reference** (six letters and digits):

```sh
propusk explain 7F3K2Q
```

It prints what was expected, what came, the nearest registered value, the cause and what mends it. The causes are listed
[below](#causes). No reference at hand? `propusk explain` lists the latest refusals.

**Somebody \"cannot log in\" and nobody knows more:**

```sh
propusk trace --user anna --last 3
```

Every sign-in with its steps, and what the missing step means ([findings](#findings-of-the-trace)). `propusk trace` without `--last` follows live:
let the person try once more and watch.

**Nobody can log in, or the chat was changed:**

```sh
propusk rocketchat doctor --chat-url https://chat.example.org
propusk doctor --client site
```

They go the whole way of a sign-in through the public address and say what is wrong ([findings](#findings-of-the-doctor)). Exit code 0: nothing;
3: findings; 4: the server does not answer at its public address.

All of them take `--lang ru` and `--json`. Words in capitals below stand for your values; the commands print the real ones.

";

const BEGIN_RU: &str = "\
# Почему не получается войти

<!-- Generated from the tables of the program; tests/suite/docs/generated.rs says how. -->

Ответ дают три команды, в таком порядке.

**Человек видит страницу или сообщение со ссылкой** (шесть букв и цифр):

```sh
propusk explain 7F3K2Q
```

Печатает, что ожидалось, что пришло, ближайшее зарегистрированное значение, причину и что поможет. Причины перечислены
[ниже](#причины). Ссылки под рукой нет? `propusk explain` показывает последние отказы.

**Человек «не может войти», и больше ничего не известно:**

```sh
propusk trace --user anna --last 3
```

Каждый вход по шагам и что значит недостающий шаг ([выводы](#выводы-трассировки)). `propusk trace` без `--last` следит вживую: пусть человек
попробует ещё раз, а вы смотрите.

**Не может войти никто, или в чате что-то меняли:**

```sh
propusk rocketchat doctor --chat-url https://chat.example.org
propusk doctor --client site
```

Проходят весь вход через публичный адрес и говорят, что не так ([находки](#находки-doctor)). Код выхода 0: ничего; 3: есть находки; 4: сервер не
отвечает по публичному адресу.

Все принимают `--lang ru` и `--json`. Слова заглавными буквами ниже — места для ваших значений; команды печатают настоящие.

";

#[test]
fn why_a_login_fails_is_what_the_tables_say() {
    for (language, code) in [(Language::English, "en"), (Language::Russian, "ru")] {
        let file = root().join("docs").join(code).join("login-fails.md");
        let fresh = login_fails(language);
        if updating() {
            std::fs::write(&file, &fresh).unwrap();
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == fresh, "{} is stale: PROPUSK_UPDATE_DOCS=1 cargo test -p propusk-tests --test suite docs::generated", file.display());
    }
}

#[test]
fn every_finding_of_the_guide_is_one_that_the_doctor_can_make() {
    // The other direction is an assertion where a finding is made.
    let mut sources = String::new();
    for directory in ["crates/domain/src/rocketchat", "crates/cli/src/doctor"] {
        for file in std::fs::read_dir(root().join(directory)).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().unwrap() != "guide.rs" {
                sources += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    for entry in GUIDE {
        assert!(sources.contains(&format!("\"{}\"", entry.slug)), "nobody finds {}", entry.slug);
        assert_eq!(GUIDE.iter().filter(|other| other.slug == entry.slug).count(), 1, "{} twice", entry.slug);
    }
}

#[test]
fn every_sentence_is_in_its_language() {
    let cyrillic = |text: &str| text.chars().any(|letter| ('а'..='я').contains(&letter));
    for entry in GUIDE {
        assert!(!cyrillic(entry.explanation(Language::English)) && !cyrillic(entry.fix(Language::English)), "{}", entry.slug);
        assert!(cyrillic(entry.explanation(Language::Russian)), "{}", entry.slug);
        let fix = entry.fix(Language::Russian);
        assert!(cyrillic(fix) || fix.starts_with("propusk ") || fix == entry.fix(Language::English), "{}: {fix}", entry.slug);
    }
    for cause in Cause::ALL {
        assert!(!cyrillic(cause.advice()), "{cause}");
        assert!(cyrillic(cause.advice_ru()) || cause.advice_ru().starts_with("propusk "), "{cause}");
    }
}

#[expect(clippy::disallowed_methods, reason = "whether to write is no setting of the program")]
fn updating() -> bool {
    std::env::var_os("PROPUSK_UPDATE_DOCS").is_some()
}

fn login_fails(language: Language) -> String {
    let russian = language == Language::Russian;
    let say = |english: &'static str, in_russian: &'static str| if russian { in_russian } else { english };
    let mut page = say(BEGIN_EN, BEGIN_RU).to_owned();
    let mends = say("What mends it", "Что поможет");
    let entry = |page: &mut String, level: &str, slug: &str, explanation: &str, fix: &str| {
        writeln!(page, "{level} {slug}\n\n{explanation}\n\n{mends}: {}\n", marked(fix)).unwrap();
    };
    writeln!(page, "## {}\n", say("Findings of the trace", "Выводы трассировки")).unwrap();
    for finding in Finding::ALL {
        entry(&mut page, "###", finding.slug(), finding.explanation(language), finding.fix(language));
    }
    writeln!(page, "## {}\n", say("Findings of the doctor", "Находки doctor")).unwrap();
    for topic in Topic::ALL {
        writeln!(page, "### {}\n", topic.heading(language)).unwrap();
        for known in GUIDE.iter().filter(|known| known.topic == *topic) {
            entry(&mut page, "####", known.slug, known.explanation(language), known.fix(language));
        }
    }
    writeln!(page, "## {}\n", say("Causes", "Причины")).unwrap();
    for cause in Cause::ALL {
        let (explanation, advice) = if russian { (cause.explanation_ru(), cause.advice_ru()) } else { (cause.explanation(), cause.advice()) };
        entry(&mut page, "###", cause.slug(), explanation, advice);
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}

/// The sentence with its commands marked as code.
fn marked(text: &str) -> String {
    let mut marked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("propusk ") {
        let (before, from) = rest.split_at(at);
        let command = command_at(from);
        marked.extend([before, "`", command, "`"]);
        rest = &from[command.len()..];
    }
    marked + rest
}

/// The command that a text begins with: up to a sign of the sentence, or to a word that can be no argument.
pub(super) fn command_at(text: &str) -> &str {
    let (mut end, mut count, mut after_switch) = (0, 0, false);
    for word in text.split(' ') {
        let bare = word.trim_end_matches(['.', ',', ';', ':', ')', '?']);
        let plain = !bare.is_empty() && bare.chars().all(|letter| letter.is_lowercase() || letter == '-') && !bare.starts_with('-');
        let known = count < 3 || after_switch;
        if bare.is_empty() || bare.starts_with(['(', '—', '<']) || (plain && (!known || !bare.is_ascii())) {
            break;
        }
        // Three words are the program, the verb and its second part: a sentence may go on after the verb.
        if plain && count == 2 && matches!(text.split(' ').nth(1), Some("explain" | "trace" | "apply" | "doctor")) {
            break;
        }
        end += bare.len() + usize::from(count > 0);
        if bare.len() < word.len() {
            break;
        }
        (count, after_switch) = (count + 1, bare.starts_with("--"));
    }
    &text[..end]
}
