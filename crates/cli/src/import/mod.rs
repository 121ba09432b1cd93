//! `propusk import django`: people, clients and live tokens of a Django site.

pub(crate) mod elements;
mod oauth;
mod people;
mod report;
pub(crate) mod source;
mod tokens;

use crate::failure::Failure;
use crate::house;
use crate::input;
use crate::output::Report;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use propusk_crypto::PasswordHasher;
use propusk_domain::client::is_reserved_scope;
use propusk_domain::import::tokens::{Plan, ScopeMap};
use propusk_domain::import::{Choices, NameBook, NaturalKeys, SeenKeys, SubChoice};
use propusk_protocol::Scope;
use propusk_server::instance::Instance;
use report::Summary;
use source::{Kind, Source, user_model};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Reads what `manage.py dumpdata` wrote, or the site's database (read-only). People keep their passwords, and by default the
primary key that they had at the site stays their subject. A run can be repeated: what changed at the site since is changed here,
unless it was changed here, too.

The rules of --role-map are asked in their order: the first that applies decides. A role that none of them names stays, if it exists
here; whoever gets none is user.

Exit codes: 0 done, 3 findings in a dry run, 1 failed, 4 could not read the file or database.

Examples:
  python manage.py dumpdata --output site.json
  propusk import django site.json --dry-run
  propusk import django site.json --dry-run --json | jq .names > names.json     (edit it, then --names names.json)
  propusk import django site.json --role-map is_superuser=owner --role-map group:Editors=moderator --names names.json
  propusk import django --database sqlite:/srv/site/db.sqlite3
  propusk import django --database-file site-database-url.txt";

/// Taking over another site
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Take over the users, clients and live tokens of a Django site
    #[command(after_help = EXAMPLES)]
    Django(Box<Django>),
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["file", "database", "database_file"])))]
pub(crate) struct Django {
    /// A file that dumpdata wrote (JSON, or JSON lines)
    file: Option<PathBuf>,
    /// The site's database: sqlite:PATH or postgres://…; one with a password belongs into --database-file
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// A file that holds the URL of the site's database
    #[arg(long, value_name = "FILE")]
    database_file: Option<PathBuf>,
    /// Write nothing; report what would be done
    #[arg(long)]
    dry_run: bool,
    /// What becomes a person's subject: pk, username, new, or a column
    #[arg(long, default_value = "pk", value_name = "pk|username|new|COLUMN")]
    sub: String,
    /// The column of the user model with the role; role, where there is one
    #[arg(long, value_name = "COLUMN")]
    role_field: Option<String>,
    /// A role of the site, group:NAME, is_staff or is_superuser, and the role here; may be repeated, and the first that applies decides
    #[arg(long = "role-map", value_name = "SITE=OURS", value_parser = pair)]
    role_map: Vec<(String, String)>,
    /// A JSON object: name at the site → username here
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// The site has verified its e-mail addresses; those that django-allauth has verified count without it
    #[arg(long)]
    emails_verified: bool,
    /// A scope of the site and what it becomes here (nothing, when empty), in tokens and in what clients ask for; others stay as they
    /// are; may be repeated
    #[arg(long = "scope-map", value_name = "SITE=OURS", value_parser = scope_rule)]
    scope_map: Vec<(String, Scope)>,
    /// The user model, where several look like one: app.model, or the table
    #[arg(long, value_name = "MODEL")]
    user_model: Option<String>,
}

/// One run.
pub(crate) struct Run {
    pub(crate) instance: Instance,
    pub(crate) hasher: PasswordHasher,
    pub(crate) choices: Choices,
    pub(crate) book: NameBook,
    pub(crate) groups: HashMap<String, String>,
    /// (Key of a person, address) that the site has verified, as [`NameBook::digest`].
    pub(crate) verified: HashSet<u64>,
    /// People by the names that stand for them in a dump with natural keys.
    pub(crate) natural_keys: NaturalKeys,
    /// The keys of people and of applications that were read.
    pub(crate) seen: SeenKeys,
    pub(crate) seen_applications: SeenKeys,
    pub(crate) seen_client_ids: HashSet<String>,
    pub(crate) summary: Summary,
    pub(crate) bar: ProgressBar,
    pub(crate) dry: bool,
    pub(crate) scope_map: ScopeMap,
    pub(crate) tokens: tokens::SeenTokens,
    /// What a dry run would have written.
    pub(crate) plan: Plan,
}

impl Import {
    pub(crate) fn run(self, config: Option<&Path>, json: bool) -> Result<Report, Failure> {
        match self {
            Self::Django(verb) => verb.run(config, json),
        }
    }
}

impl Django {
    fn run(self, config: Option<&Path>, json: bool) -> Result<Report, Failure> {
        let instance = house::open(config)?;
        let book = NameBook::new(self.chosen_names()?).map_err(Failure::Failed)?;
        let choices = self.choices(&instance)?;
        let mut source = self.source()?;
        let survey = source.survey()?;
        let user_model = user_model(&survey, self.user_model.as_deref())?;
        self.columns_must_exist(&mut source, &user_model, &choices.sub)?;
        let total: u64 = survey.iter().filter(|((kind, model), _)| *kind != Kind::User || *model == user_model).map(|(_, count)| count).sum();
        let scope_map: ScopeMap = self.scope_map.iter().cloned().collect();
        let summary = Summary { dry_run: self.dry_run, user_model: user_model.clone(), ..Summary::default() };
        let hasher = house::hasher(&instance)?;
        let mut run = Run {
            instance,
            hasher,
            choices,
            book,
            groups: HashMap::new(),
            verified: HashSet::new(),
            natural_keys: NaturalKeys::default(),
            seen: SeenKeys::default(),
            seen_applications: SeenKeys::default(),
            seen_client_ids: HashSet::new(),
            summary,
            bar: bar(total, json),
            dry: self.dry_run,
            scope_map,
            tokens: tokens::SeenTokens::default(),
            plan: Plan::default(),
        };
        run.look_ahead(&mut source, &user_model)?;
        run.take_people(&mut source, &user_model)?;
        run.take_oauth(&mut source)?;
        run.bar.finish_and_clear();
        run.tell_of_rules();
        Ok(run.summary.report())
    }

    fn source(&self) -> Result<Source, Failure> {
        if let Some(file) = &self.file {
            return Ok(Source::File(file.clone()));
        }
        let url = match (&self.database, &self.database_file) {
            (Some(url), _) => url.clone(),
            (None, Some(file)) => input::from_file(file)?.expose().to_owned(),
            (None, None) => return Err(Failure::usage("name a FILE, --database or --database-file")),
        };
        Source::database(url.trim())
    }

    fn choices(&self, instance: &Instance) -> Result<Choices, Failure> {
        let roles = instance.read(|cx| Ok(cx.store.list_roles()?))?;
        for (_, role) in &self.role_map {
            if !roles.contains(role) {
                return Err(Failure::Failed(format!("--role-map: there is no role {role} here; there are {}", roles.join(", "))));
            }
        }
        Ok(Choices {
            sub: SubChoice::parse(&self.sub),
            role_field: self.role_field.clone().unwrap_or_else(|| "role".to_owned()),
            role_map: self.role_map.clone(),
            emails_verified: self.emails_verified,
            roles,
        })
    }

    /// A column that was mistyped would leave everybody out, or give everybody the same role.
    fn columns_must_exist(&self, source: &mut Source, user_model: &str, sub: &SubChoice) -> Result<(), Failure> {
        let by_sub = if let SubChoice::Field(column) = sub { Some(("--sub", column)) } else { None };
        let named: Vec<(&str, &String)> = by_sub.into_iter().chain(self.role_field.as_ref().map(|column| ("--role-field", column))).collect();
        if named.is_empty() {
            return Ok(());
        }
        let columns = source.columns(user_model)?;
        match named.into_iter().find(|(_, column)| !columns.contains(*column) && !columns.contains(&format!("{column}_id"))) {
            Some((option, column)) => {
                let there = columns.into_iter().collect::<Vec<_>>().join(", ");
                Err(Failure::Failed(format!("{option}: {user_model} has no column {column}; there are {there}")))
            }
            None => Ok(()),
        }
    }

    fn chosen_names(&self) -> Result<HashMap<String, String>, Failure> {
        let Some(file) = &self.names else { return Ok(HashMap::new()) };
        let text = crate::input::text_of(file)?;
        serde_json::from_str(&text).map_err(|error| Failure::Failed(format!("{}: a JSON object of texts was expected: {error}", file.display())))
    }
}

/// On a terminal, beside a person's report; nothing otherwise.
fn bar(total: u64, json: bool) -> ProgressBar {
    let target = if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} records, {eta} left").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(total), target).with_style(style)
}

/// What opens something of this server is given to one client by its name, not to whatever a site called so.
fn scope_rule(text: &str) -> Result<(String, Scope), String> {
    let (theirs, ours) = crate::client_set::alias(text)?;
    let reserved = ours.iter().find(|word| is_reserved_scope(word)).map(str::to_owned);
    match reserved {
        Some(word) => Err(format!("{word} opens something of this server: propusk client set CLIENT --add-scope {word} gives it to a client")),
        None => Ok((theirs, ours)),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(site, ours)| (site.to_owned(), ours.to_owned())).ok_or_else(|| "must be SITE=OURS".to_owned())
}
