//! `custos init`

use std::io::{BufRead, IsTerminal as _, Write};
use std::path::PathBuf;

use serde_json::json;
use zeroize::Zeroizing;

use super::args::Server;
use super::failure::{Exit, Failure};
use super::files::{new_passphrase, secret_from};
use super::outsiders::Outsiders;
use super::{Global, Out, kit};
use crate::app::setup::{self, InitOptions};
use crate::client::{now, secret};
use crate::config::Config;
use crate::keyring::{KeyProvider, provider};
use crate::kit::{Made, make};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the organisation that runs the vault; asked for when absent
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Name of the first administrator; asked for when absent
    #[arg(long, value_name = "NAME")]
    admin: Option<String>,
    /// How the vault's keys are kept: under a passphrase, or as they are in files; asked for when absent, and files
    /// where nobody is asked
    #[arg(long, value_parser = ["file", "passphrase"])]
    keys: Option<String>,
    /// File with the passphrase of the keys (mode 0600), or - for stdin; implies `--keys passphrase`
    #[arg(long, value_name = "FILE", env = "CUSTOS_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    /// Take sample data only, for ever: everybody can see so, and no recovery kit is asked for
    #[arg(long)]
    samples_only: bool,
    /// Ask nothing, also on a terminal: what no flag says is left out, or is an error where the vault needs it
    #[arg(long)]
    no_input: bool,
    #[command(flatten)]
    outsiders: Outsiders,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(global: &Global, args: &Args, out: Out) -> Result<Exit, Failure> {
    let config = args.server.config(global)?;
    let token_file = config.data_dir().join("admin.token");
    if token_file.exists() {
        return Err(Failure::new(format!("there is a vault in {}", config.data_dir().display()))
            .hint("choose another directory with --data-dir DIR, or serve this one: custos serve"));
    }
    let asks = !args.no_input && std::io::stdin().is_terminal();
    let options = InitOptions {
        org_name: answer(args.org.as_ref(), asks, "--org", "name of the organisation that runs the vault")?,
        admin_name: answer(args.admin.as_ref(), asks, "--admin", "name of the first administrator")?,
        passphrase: passphrase(args, asks)?,
        samples_only: args.samples_only,
    };
    let mut configured = outsiders(&config, args, asks)?.configuration(&config)?;
    let keys = provider(options.passphrase.clone());
    let report = setup::init(&config, options).await?;
    // From here on there is a vault: whatever fails is said after what is said once.
    let token_kept = secret::write(&token_file, &report.token);
    let (made, recovery) = recovery_kit(&config, args, keys.as_ref()).await;
    if let Some(configured) = &mut configured {
        configured.write(&config);
    }
    let confirmed = configured.as_ref().map_or_else(String::new, |lines| format!("\n\n{}", lines.told()));
    let shown = json!({
        "fingerprint": report.fingerprint, "tls_fingerprint": report.tls_fingerprint,
        "log_vkey": report.log_vkey, "log_origin": report.origin, "origin": config.origin(),
        "admin_person": report.admin_person, "token_file": token_file, "data_dir": config.data_dir(),
        "samples_only": args.samples_only, "recovery_file": made.as_ref().map(|made| &made.file),
        "recovery_sheet": made.as_ref().map(|made| &made.sheet), "configuration": configured,
    });
    out.result(&shown, |_| {
        format!(
            "vault fingerprint        {}\ncertificate fingerprint  {}\nlog                      {}",
            report.fingerprint, report.tls_fingerprint, report.log_vkey
        )
    });
    out.say(&format!(
        "\nWrite both fingerprints on paper: whoever checks a bundle, or signs in, compares them.\n\
         Back up {} apart from the database: without the keys nothing can be opened.\n\n{recovery}{confirmed}\n\nNext:\n  \
         custos serve --data-dir {}\n  custos login {} --fingerprint {} \\\n    --vault-fingerprint {} \\\n    \
         --token-file {}\n  custos key enroll --checked in-person\n\nThe last line is your word that you saw the \
         administrator make the key; leave --checked away if nobody looked.",
        config.data_dir().join("keys").display(),
        config.data_dir().display(),
        config.origin(),
        report.tls_fingerprint,
        report.fingerprint,
        token_file.display(),
    ));
    token_kept.map(|()| Exit::Valid).map_err(|error| {
        Failure::of(&error).hint(
            "the vault is made, and nobody can sign in without the token: remove its data directory, database and \
             objects, in which nothing is yet, and repeat the command",
        )
    })
}

/// Who confirms the log from outside. A vault for samples needs nobody's word, and is not asked about it.
fn outsiders(config: &Config, args: &Args, asks: bool) -> Result<Outsiders, Failure> {
    let (mut answers, mut questions) = (std::io::stdin().lock(), std::io::stderr());
    let terminal: (&mut dyn BufRead, &mut dyn Write) = (&mut answers, &mut questions);
    args.outsiders.settled(config, (asks && !args.samples_only).then_some(terminal))
}

/// The kit of a new vault, and what to say about it. The vault is there whether a kit could be made or not, and what it
/// says once must be said.
async fn recovery_kit(config: &Config, args: &Args, keys: &dyn KeyProvider) -> (Option<Made>, String) {
    if args.samples_only {
        return (None, "This vault takes sample data only, for ever.".to_owned());
    }
    match make(config, keys, config.data_dir(), now()).await {
        Ok(made) => {
            let next = kit::next(&made, config.data_dir());
            (Some(made), next)
        }
        Err(error) => (None, format!("No recovery kit was made: {error}; {}", error.remedy())),
    }
}

/// What protects the keys; nothing if they are to be kept as they are. A vault for samples is not asked about it.
fn passphrase(args: &Args, asks: bool) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(file) = &args.passphrase_file {
        return Ok(Some(secret_from(file, "passphrase")?));
    }
    let wanted = match args.keys.as_deref() {
        Some(keys) => keys == "passphrase",
        None => asks && !args.samples_only && wants_passphrase()?,
    };
    match (wanted, asks) {
        (false, _) => Ok(None),
        (true, true) => Ok(Some(new_passphrase("passphrase of the vault's keys: ")?)),
        (true, false) => Err(Failure::usage("a passphrase is needed and nobody is asked")
            .hint("put it into a file with mode 0600: --passphrase-file FILE")),
    }
}

fn wants_passphrase() -> Result<bool, Failure> {
    let mut question = "\nKeys that are kept in files as they are open the vault to whoever copies its disk; under a \
                        passphrase, the service needs it to start.\n\
                        passphrase or file, Enter for passphrase: ";
    loop {
        match asked(question)?.as_str() {
            "" | "passphrase" => return Ok(true),
            "file" => return Ok(false),
            _ => question = "error: it is `passphrase` or `file`\npassphrase or file, Enter for passphrase: ",
        }
    }
}

/// What a flag says, or else somebody on the terminal.
fn answer(flag: Option<&String>, asks: bool, name: &str, question: &str) -> Result<String, Failure> {
    if let Some(value) = flag {
        return Ok(value.clone());
    }
    if !asks {
        return Err(Failure::usage(format!("{name} is missing")).hint(format!("{name} NAME: the {question}")));
    }
    let line = asked(&format!("{question}: "))?;
    if line.is_empty() { Err(Failure::usage("nothing was entered")) } else { Ok(line) }
}

/// A line that somebody types; empty where nobody answers any more.
fn asked(question: &str) -> Result<String, Failure> {
    let cannot = |error: std::io::Error| Failure::new("cannot ask on this terminal").because(&error);
    let mut terminal = std::io::stderr();
    terminal.write_all(question.as_bytes()).and_then(|()| terminal.flush()).map_err(cannot)?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(cannot)?;
    Ok(line.trim().to_owned())
}
