//! The command line: one file a command, data on stdout, talk on stderr, frozen exit codes.

mod args;
mod backup;
mod case;
mod certificate;
mod completions;
mod config;
mod custody;
mod demo;
mod dispose;
mod doctor;
pub(crate) mod export;
pub(crate) mod failure;
pub(crate) mod files;
mod form;
pub(crate) mod get;
mod hold;
mod init;
mod invite;
mod item;
mod key;
mod kit;
mod labels;
pub(crate) mod log;
pub(crate) mod login;
mod open;
mod org;
mod output;
mod outsiders;
pub(crate) mod person;
mod produce;
mod progress;
mod put;
mod recover;
mod reseal;
mod restore;
mod scrub;
pub(crate) mod serve;
mod session;
mod sessions;
mod sign_in;
pub(crate) mod table;
mod token;
pub(crate) mod transfer;
mod unzip;
pub(crate) mod verify;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, setrlimit};

use failure::{Exit, Failure};
pub use output::Out;

/// Custos: an evidence vault whose custody log outsiders can check.
#[derive(Debug, Parser)]
#[command(name = "custos", version, about, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 valid · 1 failure · 2 usage · 3 verification FAILED · 4 valid but incomplete · \
    5 not found · 6 not allowed · 7 network, can be resumed · 130 interrupted."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(Debug, clap::Args)]
struct Global {
    /// Print JSON: one document, or one a line when streaming
    #[arg(long, global = true)]
    json: bool,
    /// Which vault and person: a profile's name, or the path of its file
    #[arg(long, global = true, env = "CUSTOS_PROFILE", value_name = "NAME", default_value = crate::client::profile::DEFAULT_PROFILE)]
    profile: String,
    /// Configuration file of a vault on this machine
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say nothing on stderr but errors
    #[arg(long, global = true)]
    quiet: bool,
    /// With what is recorded at a vault: wait for more than its own receipt, ten seconds at most each time
    #[arg(long, global = true, value_name = "FOR")]
    wait: Option<Wait>,
    /// Receipts that came without what was waited for.
    #[arg(skip)]
    unwitnessed: Arc<AtomicUsize>,
}

/// What a write may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wait {
    /// A receipt under a checkpoint that the vault's witnesses cosigned
    Witnessed,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new vault on this machine
    Init(init::Args),
    /// Serve the vault on this machine over HTTPS
    Serve(serve::Args),
    /// Play the whole story on real files: vault, people, evidence, transfer, bundle, verdict
    Demo(demo::Args),
    /// Make this device known to a vault, and the vault to this device
    Login(login::Args),
    /// Invite a registered person to make a key and get a token on their own device
    Invite(invite::Args),
    /// Cases and their members
    #[command(subcommand)]
    Case(case::Action),
    /// Items of a case
    #[command(subcommand)]
    Item(item::Action),
    /// Put files and folders into a case as items
    Put(put::Args),
    /// Read an item's content, for a purpose, on record
    Get(get::Args),
    /// Open a restricted item together with the other of a pair, each on their own device, on record
    Open(open::Args),
    /// The custody of an item or a case, record by record; for auditors also the records of the vault and of persons
    #[command(subcommand)]
    Custody(custody::Action),
    /// Hand items over, and take them over, each with one's own key
    #[command(subcommand)]
    Transfer(transfer::Action),
    /// Keep cases and items from being destroyed
    #[command(subcommand)]
    Hold(hold::Action),
    /// Destroy content or personal values for good, once two persons have agreed
    #[command(subcommand)]
    Dispose(dispose::Action),
    /// Produce restricted content to a court that ordered it, sealed to the court's own key
    #[command(subcommand)]
    Produce(produce::Action),
    /// Make a bundle of a case that a court can check without us
    Export(export::Args),
    /// Check a bundle: the same as the court's own `custody-verify`
    Verify(Box<verify::Args>),
    /// Signing keys
    #[command(subcommand)]
    Key(key::Action),
    /// API tokens
    #[command(subcommand)]
    Token(token::Action),
    /// Certificates that sign one in, for machines
    #[command(subcommand)]
    Certificate(certificate::Action),
    /// What one signs in with in a browser
    #[command(subcommand)]
    SignIn(sign_in::Action),
    /// Browsers that one is signed in with
    #[command(subcommand)]
    Session(sessions::Action),
    /// Persons and their roles in the vault
    #[command(subcommand)]
    Person(person::Action),
    /// Organisations
    #[command(subcommand)]
    Org(org::Action),
    /// The public log
    #[command(subcommand)]
    Log(log::Action),
    /// Be a witness: cosign the logs of others, and never two histories of one
    #[command(subcommand)]
    Witness(witness::Action),
    /// Find what is wrong with the vault on this machine, and what mends it
    Doctor(doctor::Args),
    /// Copy the whole vault, encrypted: database, keys and objects; also while it is served
    Backup(backup::Args),
    /// Put a backup back to where nothing is, and check all of it
    Restore(restore::Args),
    /// Go on after a restore that lost published records, on record: where there is no newer copy
    Recover(recover::Args),
    /// Have the vault read and compare everything it stores, and record what it finds; for administrators
    Scrub(scrub::Args),
    /// The configuration, and where each value came from
    #[command(subcommand)]
    Config(config::Action),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    forbid_core_dumps();
    let cli = Cli::parse();
    let out = Out::new(cli.global.json, cli.global.quiet);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::new("cannot start").because(&error))),
    };
    let ended = runtime.block_on(run(&cli, out));
    // Blocking reads (a prompt) must not keep an interrupted process alive.
    runtime.shutdown_background();
    end(ended)
}

/// What is in memory, keys among it, must not come to lie in a file because the program crashes.
fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        Out::failure(&Failure::new("core dumps could not be forbidden").because(&error));
    }
}

async fn run(cli: &Cli, out: Out) -> Result<Exit, Failure> {
    // These finish what they have begun.
    if matches!(cli.command, Command::Serve(_) | Command::Demo(_) | Command::Witness(_)) {
        return Box::pin(dispatch(cli, out)).await;
    }
    let ended = tokio::select! {
        ended = dispatch(cli, out) => ended,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
    };
    let unwitnessed = cli.global.unwitnessed.load(Ordering::Relaxed);
    if unwitnessed > 0 {
        out.say(&format!(
            "{unwitnessed} receipts are kept without the cosignatures that were waited for; what they say is recorded"
        ));
        out.say(
            "hint: the vault has no witnesses, or too few of them answer: GET /readyz?verbose says which",
        );
        return ended.map(|exit| if exit == Exit::Valid { Exit::Incomplete } else { exit });
    }
    ended
}

async fn dispatch(cli: &Cli, out: Out) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Init(args) => init::run(global, args, out).await,
        Command::Serve(args) => serve::run(global, args, out).await,
        Command::Demo(args) => Box::pin(demo::run(args, out)).await,
        Command::Login(args) => login::run(global, args, out).await,
        Command::Invite(args) => invite::run(global, args, out).await,
        Command::Case(action) => case::run(global, action, out).await,
        Command::Item(action) => item::run(global, action, out).await,
        Command::Put(args) => put::run(global, args, out).await,
        Command::Get(args) => get::run(global, args, out).await,
        Command::Open(args) => open::run(global, args, out).await,
        Command::Custody(action) => custody::run(global, action, out).await,
        Command::Transfer(action) => transfer::run(global, action, out).await,
        Command::Hold(action) => hold::run(global, action, out).await,
        Command::Dispose(action) => dispose::run(global, action, out).await,
        Command::Produce(action) => produce::run(global, action, out).await,
        Command::Export(args) => export::run(global, args, out).await,
        Command::Verify(args) => verify::run(global, args, out).await,
        Command::Key(action) => key::run(global, action, out).await,
        Command::Token(action) => token::run(global, action, out).await,
        Command::Certificate(action) => certificate::run(global, action, out).await,
        Command::SignIn(action) => sign_in::run(global, action, out).await,
        Command::Session(action) => sessions::run(global, action, out).await,
        Command::Person(action) => person::run(global, action, out).await,
        Command::Org(action) => org::run(global, action, out).await,
        Command::Log(action) => log::run(global, action, out).await,
        Command::Witness(action) => witness::run(action, out).await,
        Command::Doctor(args) => Box::pin(doctor::run(global, args, out)).await,
        Command::Backup(args) => backup::run(global, args, out).await,
        Command::Restore(args) => restore::run(global, args, out).await,
        Command::Recover(args) => recover::run(global, args, out).await,
        Command::Scrub(args) => scrub::run(global, args, out).await,
        Command::Config(action) => config::run(global, action, out),
        Command::Completions(args) => Ok(completions::run(args, out)),
    }
}

fn end(ended: Result<Exit, Failure>) -> ExitCode {
    let exit = ended.unwrap_or_else(|failure| {
        Out::failure(&failure);
        failure.exit()
    });
    ExitCode::from(exit.code())
}

/// The environment as the rest of the program is given it.
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
