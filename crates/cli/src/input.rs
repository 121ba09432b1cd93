//! Secrets by standard input, file, prompt or generation; never by argument, where `ps` and the shell's history show them.

use crate::failure::Failure;
use clap::Args;
use propusk_crypto::MAX_PASSWORD_BYTES;
use propusk_crypto::{Random, Secret, SystemRandom};
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a person can do who has no terminal to be asked on.
const INSTEAD_OF_PASSWORD: &str = "use --password-stdin, --password-file FILE or --generate-password";
const INSTEAD_OF_PASSPHRASE: &str = "use --passphrase-stdin or --passphrase-file FILE";

/// Where a password comes from.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub(crate) struct PasswordSource {
    /// Read the password from standard input; exactly one trailing newline is cut
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Read the password from a file; exactly one trailing newline is cut
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Generate a password and show it once
    #[arg(long)]
    pub(crate) generate_password: bool,
}

/// Where the passphrase of a backup comes from.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub(crate) struct PassphraseSource {
    /// Ask for the passphrase on the terminal
    #[arg(long)]
    pub(crate) passphrase: bool,
    /// Read the passphrase from standard input; exactly one trailing newline is cut
    #[arg(long)]
    pub(crate) passphrase_stdin: bool,
    /// Read the passphrase from a file; exactly one trailing newline is cut
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

impl PassphraseSource {
    /// The passphrase, if one was asked for; `twice` asks on the terminal for it once more.
    pub(crate) fn choose(&self, twice: bool) -> Result<Option<Secret>, Failure> {
        let chosen = if self.passphrase {
            let passphrase = prompt("Passphrase: ", INSTEAD_OF_PASSPHRASE)?;
            if twice && prompt("Once more: ", INSTEAD_OF_PASSPHRASE)?.expose() != passphrase.expose() {
                return Err(Failure::Failed("the two passphrases differ; nothing was written".to_owned()));
            }
            passphrase
        } else if self.passphrase_stdin {
            from_stdin("Passphrase: ")?
        } else if let Some(path) = &self.passphrase_file {
            from_file(path)?
        } else {
            return Ok(None);
        };
        if chosen.expose().is_empty() { Err(Failure::Failed("the passphrase is empty".to_owned())) } else { Ok(Some(chosen)) }
    }
}

/// A password, and whether it was made here.
pub(crate) struct Chosen {
    pub(crate) password: Secret,
    pub(crate) generated: bool,
}

impl PasswordSource {
    /// The password, if one was asked for.
    pub(crate) fn choose(&self) -> Result<Option<Chosen>, Failure> {
        let given = |password| Some(Chosen { password, generated: false });
        let chosen = if self.generate_password {
            Some(Chosen { password: generate_password(), generated: true })
        } else if self.password_stdin {
            given(from_stdin("Password: ")?)
        } else if let Some(path) = &self.password_file {
            given(from_file(path)?)
        } else {
            None
        };
        chosen.map(check_password).transpose()
    }

    /// The password; asked for twice on a terminal when no source was named.
    pub(crate) fn choose_or_ask(&self) -> Result<Chosen, Failure> {
        if let Some(chosen) = self.choose()? {
            return Ok(chosen);
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage("say where the password comes from: --password-stdin, --password-file FILE or --generate-password"));
        }
        let password = prompt("New password: ", INSTEAD_OF_PASSWORD)?;
        if prompt("Once more: ", INSTEAD_OF_PASSWORD)?.expose() != password.expose() {
            return Err(Failure::Failed("the two passwords differ; nothing was changed".to_owned()));
        }
        check_password(Chosen { password, generated: false })
    }
}

/// A secret from standard input without exactly one trailing newline; asked for when standard input is a terminal.
pub(crate) fn from_stdin(question: &str) -> Result<Secret, Failure> {
    if std::io::stdin().is_terminal() {
        return prompt(question, "send it on standard input");
    }
    read(std::io::stdin().lock(), "standard input")
}

/// The text of a file: one that is not there is out of reach, one that is no text is wrong.
pub(crate) fn text_of(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => Failure::Failed(format!("{} is not text in UTF-8", path.display())),
        _ => Failure::Unreachable(format!("{} cannot be read: {error}", path.display())),
    })
}

/// A secret from a file without exactly one trailing newline.
pub(crate) fn from_file(path: &Path) -> Result<Secret, Failure> {
    let file = File::open(path).map_err(|error| Failure::Unreachable(format!("{} cannot be read: {error}", path.display())))?;
    read(file, &path.display().to_string())
}

/// 80 random bits in four groups of letters and digits that look like no others: `k3v9-…`.
pub(crate) fn generate_password() -> Secret {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = [0_u8; 16];
    SystemRandom.fill(&mut bytes);
    let letters: Vec<char> = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 31))).map(|letter| char::from(*letter)).collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Secret::new(groups.join("-"))
}

fn check_password(chosen: Chosen) -> Result<Chosen, Failure> {
    match chosen.password.expose().len() {
        0 => Err(Failure::Failed("the password is empty; nothing was changed".to_owned())),
        1..=MAX_PASSWORD_BYTES => Ok(chosen),
        bytes => Err(Failure::Failed(format!("the password has {bytes} bytes and may have {MAX_PASSWORD_BYTES}; nothing was changed"))),
    }
}

/// More than any secret needs: a file named by mistake is not read to its end.
const LONGEST: u64 = 64 * 1024;

fn read(source: impl Read, name: &str) -> Result<Secret, Failure> {
    let mut bytes = Vec::new();
    source.take(LONGEST).read_to_end(&mut bytes).map_err(|error| Failure::Unreachable(format!("{name} cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::Failed(format!("{name} is not text in UTF-8")))?;
    Ok(Secret::new(cut_newline(text)))
}

/// Cuts one newline and no more: a secret may end in white space of its own.
fn cut_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

/// Asks on the terminal without showing what is typed; where that cannot be, `instead` says what else to do. The shell does it, because it puts the terminal right again even
/// when the question is interrupted.
fn prompt(question: &str, instead: &str) -> Result<Secret, Failure> {
    const SCRIPT: &str = r#"printf '%s' "$1" >/dev/tty; old=$(stty -g </dev/tty) || exit 1
trap 'stty "$old" </dev/tty' EXIT; trap 'exit 1' INT TERM HUP
stty -echo </dev/tty || exit 1; IFS= read -r line </dev/tty || exit 1; printf '\n' >/dev/tty; printf '%s' "$line""#;
    let output = Command::new("/bin/sh").args(["-c", SCRIPT, "sh", question]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let refuse = || Failure::Failed(format!("the terminal cannot be asked; {instead}"));
    let output = output.map_err(|_| refuse())?;
    if !output.status.success() {
        return Err(refuse());
    }
    read(output.stdout.as_slice(), "the terminal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_newline_is_cut() {
        for (given, kept) in [("a\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("a \n", "a "), ("\n", ""), ("a\r\n", "a\r")] {
            assert_eq!(cut_newline(given.to_owned()), kept);
        }
    }

    #[test]
    fn generated_passwords_differ_and_can_be_read_aloud() {
        let (one, two) = (generate_password(), generate_password());
        assert_ne!(one.expose(), two.expose());
        assert_eq!(one.expose().len(), 19);
        assert!(one.expose().chars().all(|c| c == '-' || (c.is_ascii_alphanumeric() && !"ilou".contains(c))));
    }

    #[test]
    fn an_empty_or_endless_password_is_refused() {
        for bad in [String::new(), "x".repeat(MAX_PASSWORD_BYTES + 1)] {
            assert!(check_password(Chosen { password: Secret::new(bad), generated: false }).is_err());
        }
    }
}
