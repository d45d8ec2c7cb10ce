//! Letters, by SMTP (RFC 5321) through `lettre`.

use std::path::PathBuf;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Channel, NotTold, Notice, NoticesError, PATIENCE, Target};

/// `[mail]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    host: String,
    port: u16,
    #[serde(default)]
    security: Security,
    roots: Option<PathBuf>,
    user: Option<String>,
    password: Option<Zeroizing<String>>,
    from: String,
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    people: bool,
    topics: Option<Vec<String>>,
}

/// How the way to the mail server is kept from others' eyes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Security {
    /// TLS from the first byte (RFC 8314).
    #[default]
    Tls,
    /// TLS after STARTTLS, which the server must offer (RFC 3207).
    Starttls,
    /// None: for a server on the same machine.
    None,
}

/// A mail server, and who is written to.
pub(super) struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    origin: String,
    pub(super) people: bool,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("to", &self.to.len())
            .field("people", &self.people)
            .finish_non_exhaustive()
    }
}

pub(super) fn channel(settings: Settings, origin: &str) -> Result<Channel, NoticesError> {
    let from = mailbox(&settings.from)?;
    let to: Vec<_> = settings.to.iter().map(|to| mailbox(to)).collect::<Result<_, _>>()?;
    if to.is_empty() && !settings.people {
        return Err(NoticesError::Value("mail is for somebody: name `to`, or set `people = true`"));
    }
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
        .port(settings.port)
        .timeout(Some(PATIENCE))
        .tls(tls(&settings)?);
    match (settings.user, settings.password) {
        (Some(user), Some(password)) if settings.security != Security::None => {
            transport = transport.credentials(Credentials::new(user, password.to_string()));
        }
        (None, None) => {}
        _ => return Err(NoticesError::Value("`user` and `password` go together, and only over TLS")),
    }
    let mail =
        Mail { transport: transport.build(), from, to, origin: origin.to_owned(), people: settings.people };
    Channel::new("mail".to_owned(), settings.topics, Target::Mail(Box::new(mail)))
}

fn tls(settings: &Settings) -> Result<Tls, NoticesError> {
    let set_up = |error: lettre::transport::smtp::Error| NoticesError::SetUp(error.to_string());
    if settings.security == Security::None {
        let local = settings.host == "localhost"
            || settings.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        return if local {
            Ok(Tls::None)
        } else {
            Err(NoticesError::Value(
                "`security = \"none\"` is for a mail server on this machine: host is localhost",
            ))
        };
    }
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.roots {
        let pem = std::fs::read(path).map_err(|source| NoticesError::Read { path: path.clone(), source })?;
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(set_up)?);
    }
    let parameters = parameters.build().map_err(set_up)?;
    Ok(if settings.security == Security::Tls { Tls::Wrapper(parameters) } else { Tls::Required(parameters) })
}

fn mailbox(text: &str) -> Result<Mailbox, NoticesError> {
    text.parse().map_err(|_| {
        NoticesError::Value("an e-mail address is like duty@example.org, or Duty <duty@example.org>")
    })
}

impl Mail {
    pub(super) async fn tell(&self, notice: &Notice, person: Option<&str>) -> Result<(), NotTold> {
        // An address that is none was entered by somebody; that must not hold up everybody else's letters.
        let person = person.filter(|_| self.people).and_then(|person| person.parse::<Mailbox>().ok());
        for to in self.to.iter().cloned().chain(person) {
            let text = format!(
                "{}\n\nSign in to read what it is about: {}\n\nThis letter names nothing and nobody on purpose. It has no links \
                 but the vault's address;\ncompare that with the one you know before you sign in.\n\n{} at {}, {}\n",
                notice.topic.sentence, self.origin, notice.topic.name, notice.time, notice.id
            );
            let letter = Message::builder()
                .from(self.from.clone())
                .to(to)
                .subject(format!("Custos: {}", notice.topic.name))
                .header(ContentType::TEXT_PLAIN)
                .body(text)
                .map_err(|_| NotTold::Silent)?;
            match self.transport.send(letter).await {
                Ok(_) => {}
                // For ever, says the server: asking again helps nobody, and one bad address must not silence the others.
                Err(error) if error.is_permanent() => {
                    let status = error.status().map(u16::from);
                    tracing::error!(
                        status,
                        topic = notice.topic.name,
                        "a letter was refused for good and is not sent again"
                    );
                }
                Err(_) => return Err(NotTold::Silent),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(toml: &str) -> Result<Channel, NoticesError> {
        channel(toml::from_str(toml).unwrap(), "https://vault.example.org")
    }

    const WHO: &str = "port = 25\nfrom = 'Custos <custos@example.org>'\nto = ['duty@example.org']\n";

    #[test]
    fn letters_leave_this_machine_under_tls_only() {
        assert!(made(&format!("{WHO}host = 'mail.example.org'")).is_ok());
        assert!(made(&format!("{WHO}host = 'mail.example.org'\nsecurity = 'starttls'")).is_ok());
        assert!(made(&format!("{WHO}host = 'mail.example.org'\nsecurity = 'none'")).is_err());
        assert!(made(&format!("{WHO}host = '127.0.0.1'\nsecurity = 'none'")).is_ok());
        assert!(
            made(&format!("{WHO}host = 'localhost'\nsecurity = 'none'\nuser = 'u'\npassword = 'p'")).is_err()
        );
        assert!(made(&format!("{WHO}host = 'mail.example.org'\nuser = 'u'")).is_err());
    }

    #[test]
    fn mail_is_for_somebody_whose_address_is_one() {
        assert!(made("host = 'h'\nport = 465\nfrom = 'a@example.org'").is_err());
        assert!(made("host = 'h'\nport = 465\nfrom = 'a@example.org'\npeople = true").is_ok());
        assert!(made("host = 'h'\nport = 465\nfrom = 'nobody'\npeople = true").is_err());
    }

    #[test]
    fn no_password_is_shown() {
        let toml = format!("{WHO}host = 'mail.example.org'\nuser = 'u'\npassword = 'MARKER'");
        assert!(!format!("{:?}", made(&toml).unwrap()).contains("MARKER"));
    }
}
