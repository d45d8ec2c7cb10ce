//! Letters, by SMTP (RFC 5321) through `lettre`.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use serde::Deserialize;
use tokio::time::timeout;
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
    /// Those on duty; nobody: the persons concerned.
    to: Vec<Mailbox>,
    origin: String,
    patience: Duration,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("to", &self.to.len()).finish_non_exhaustive()
    }
}

/// One channel for those on duty and one for the persons concerned: an address of somebody's that takes no letters must
/// not keep the others from theirs.
pub(super) fn channels(settings: Settings, origin: &str) -> Result<Vec<Channel>, NoticesError> {
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
    let people = settings.people.then(Vec::new);
    let duty = (!to.is_empty()).then_some(to);
    let channel = |(name, to): (&str, Vec<Mailbox>)| {
        let (transport, origin) = (transport.clone().build(), origin.to_owned());
        let mail = Mail { transport, from: from.clone(), to, origin, patience: PATIENCE };
        Channel::new(name.to_owned(), settings.topics.clone(), Target::Mail(Box::new(mail)))
    };
    duty.map(|to| ("mail", to)).into_iter().chain(people.map(|to| ("mail:people", to))).map(channel).collect()
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
    /// Whether it is for the persons concerned, and not for those on duty.
    pub(super) const fn is_for_people(&self) -> bool {
        self.to.is_empty()
    }

    /// Writes one letter: to all on duty, or to a person at this address.
    pub(super) async fn tell(&self, notice: &Notice, person: Option<&str>) -> Result<(), NotTold> {
        let person = match person {
            Some(person) => vec![person.parse::<Mailbox>().map_err(|_| NotTold::Address)?],
            None => Vec::new(),
        };
        let to = if self.is_for_people() { &person } else { &self.to };
        if to.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{}\n\nSign in to read what it is about: {}\n\nThis letter names nothing and nobody on purpose. It has no links \
             but the vault's address;\ncompare that with the one you know before you sign in.\n\n{} at {}, {}\n",
            notice.topic.sentence, self.origin, notice.topic.name, notice.time, notice.id
        );
        let letter = to.iter().cloned().fold(Message::builder().from(self.from.clone()), MessageBuilder::to);
        // The same whenever it is told: who gets it twice sees it once.
        let letter = letter.message_id(Some(format!("<{}@{}>", notice.id, self.from.email.domain())));
        let letter = letter.subject(format!("Custos: {}", notice.topic.name)).header(ContentType::TEXT_PLAIN);
        let letter = letter.body(text).map_err(|_| NotTold::Address)?;
        // The transport's own patience ends with the connection.
        match timeout(self.patience, self.transport.send(letter)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(match error.status() {
                Some(code) if error.is_permanent() && self.takes_letters().await => {
                    NotTold::RefusedForGood(code.into())
                }
                Some(code) => NotTold::Refused(code.into()),
                // A name that mail cannot carry.
                None if error.is_client() => NotTold::Address,
                None => NotTold::Silent,
            }),
            Err(_) => Err(NotTold::Silent),
        }
    }

    /// Whether the server lets the vault in: if so, what it refuses for good is the letter.
    async fn takes_letters(&self) -> bool {
        matches!(timeout(self.patience, self.transport.test_connection()).await, Ok(Ok(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(toml: &str) -> Result<Vec<Channel>, NoticesError> {
        channels(toml::from_str(toml).unwrap(), "https://vault.example.org")
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

    #[tokio::test]
    async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let toml = format!(
            "host = '127.0.0.1'\nport = {port}\nsecurity = 'none'\nfrom = 'a@example.org'\nto = ['b@example.org']"
        );
        let time = custody::time::Timestamp::from_millis(0).unwrap();
        let notice = Notice { id: "1".to_owned(), topic: super::super::STOPPED, time };
        let Target::Mail(mut mail) = made(&toml).unwrap().remove(0).target else { unreachable!() };
        mail.patience = Duration::from_millis(20);
        assert_eq!(mail.tell(&notice, None).await, Err(NotTold::Silent));
    }

    #[test]
    fn no_password_is_shown() {
        let toml = format!("{WHO}host = 'mail.example.org'\nuser = 'u'\npassword = 'MARKER'");
        assert!(!format!("{:?}", made(&toml).unwrap()).contains("MARKER"));
    }
}
