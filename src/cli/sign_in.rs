//! `custos sign-in`: what one signs in with in a browser.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::failure::{Exit, Failure};
use super::files::{new_passphrase, prompt, secret_from};
use super::table::table;
use super::{Global, Out, session};
use crate::api;
use crate::client::secret;
use crate::qr;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Everything that one can sign in with
    Show,
    /// Set a first password together with a device that gives codes; prints the device's secret and the recovery codes, once
    Password {
        /// The name that one signs in with
        #[arg(long)]
        name: String,
        /// File with the password (mode 0600), where there is no terminal to ask on
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

pub(super) async fn run(global: &Global, action: &Action, out: Out) -> Result<Exit, Failure> {
    let client = session::reader(global)?;
    match action {
        Action::Show => {
            let credentials = client.credentials().await?;
            out.result(&credentials, |all| table(["what", "id", "name", "since", "used"], &rows(all)));
        }
        Action::Password { name, password_file } => {
            let password = match password_file {
                Some(file) => secret::read(file)?,
                None => new_passphrase("password: ")?,
            };
            let codes = client.begin_codes().await?;
            out.result(&codes, |codes| device(codes, out.colours()).to_string());
            let code = code()?;
            let confirmed = api::ConfirmCodes { id: codes.id.clone(), code: code.as_str().into() };
            let new = api::NewPassword {
                name: name.as_str().into(),
                password: password.as_str().into(),
                codes: Some(confirmed),
            };
            let set = client.set_password(&new).await?;
            out.say(
                "the recovery codes, each for once, where the device is not at hand; keep them on paper:",
            );
            out.result(&set, |set| {
                set.recovery_codes.iter().map(api::Hidden::expose).collect::<Vec<_>>().join("\n")
            });
        }
    }
    Ok(Exit::Valid)
}

/// What the device is told: to be scanned, or typed.
fn device(codes: &api::NewCodes, colours: bool) -> Zeroizing<String> {
    let code = qr::terminal(codes.uri.expose(), colours).unwrap_or_default();
    let secret = codes.secret.expose();
    Zeroizing::new(format!("{}\nscan this with the device, or type its secret: {secret}", code.as_str()))
}

/// What the device shows now: typed, or a line of stdin.
fn code() -> Result<Zeroizing<String>, Failure> {
    if io::stdin().is_terminal() {
        prompt("the code that it shows now: ")
    } else {
        secret_from(std::path::Path::new("-"), "code")
    }
}

fn rows(all: &api::Credentials) -> Vec<[String; 5]> {
    let text = |text: &str| text.to_owned();
    let used = |used: &Option<String>| used.clone().unwrap_or_else(|| text("-"));
    let mut rows = Vec::new();
    rows.extend(all.password.iter().map(|it| {
        let left = format!("{} recovery codes left", it.recovery_codes_left);
        [text("password"), text("-"), left, it.changed.clone(), text("-")]
    }));
    rows.extend(
        all.passkeys
            .iter()
            .map(|it| [text("passkey"), it.id.clone(), it.label.clone(), it.created.clone(), used(&it.used)]),
    );
    rows.extend(all.certificates.iter().map(|it| {
        [text("certificate"), it.id.clone(), it.label.clone(), it.created.clone(), used(&it.used)]
    }));
    rows.extend(all.providers.iter().map(|it| {
        [text("provider"), it.id.clone(), it.provider.clone(), it.created.clone(), used(&it.used)]
    }));
    rows
}
