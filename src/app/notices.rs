//! Telling outsiders that something happened: one task a channel, which reads the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use custody::act::{Act, CaseRole, TransferStep, VaultRole};
use custody::id::{Code, PersonId};
use custody::record::Sequence;
use custody::rules::Term;
use custody::statement::Statement;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::content::AT_INTAKE;
use super::fields::FIELD_EMAIL;
use super::read::statement;
use super::{App, AppError};
use crate::notices::{Channel, FOUND_OTHERWISE, NotTold, Notice, QUORUM_MISSED, STOPPED, TOPICS, Topic};
use crate::store::NotableRow;

/// Records told of at a time.
const AT_ONCE: u32 = 50;
/// Between two looks at the log, however much is written.
const REST: Duration = Duration::from_secs(1);
/// Between two looks at the log where nothing is heard of: another process of this vault may have written.
const IDLE: Duration = Duration::from_mins(1);
/// Longest pause after a channel has failed again and again.
const LONGEST: Duration = Duration::from_mins(10);
/// How often a letter to a person is tried, over some three hours: their own mailbox must not keep others' from theirs.
const MAX_TRIES: u32 = 24;
/// Records without anything to tell, after which a channel's position is noted all the same.
const NOTED_AFTER: u64 = 10_000;

/// Who is told, and what is wrong with them.
#[derive(Debug)]
pub(super) struct Telling {
    channels: Vec<Channel>,
    troubles: Mutex<BTreeMap<usize, NotTold>>,
}

impl Telling {
    pub(super) const fn new(channels: Vec<Channel>) -> Self {
        Self { channels, troubles: Mutex::new(BTreeMap::new()) }
    }

    /// What an operator must look at, one line each.
    pub(super) fn alarms(&self) -> Vec<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = |(channel, trouble): (&usize, &NotTold)| {
            let name = self.channels.get(*channel).map_or("", |channel| &channel.name);
            format!("notices by {name}: {trouble}; what is to be told waits")
        };
        troubles.iter().map(alarm).collect()
    }

    /// Notes what came of telling, and says so when it changes.
    fn note(&self, channel: usize, trouble: Option<NotTold>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &trouble {
            Some(trouble) => troubles.insert(channel, trouble.clone()),
            None => troubles.remove(&channel),
        };
        match (before, trouble) {
            (Some(_), None) => tracing::info!(channel, "notices are taken again"),
            (before, Some(trouble)) if before.as_ref() != Some(&trouble) => {
                tracing::error!(channel, error = %trouble, "notices are not taken; they wait");
            }
            _ => {}
        }
    }
}

/// What a channel was told of the running service, which no record says.
#[derive(Debug, Default)]
struct Standing {
    /// Where in the log it goes on, unless the database knows better.
    position: u64,
    /// How often the next letter was refused.
    tries: u32,
    quorum_missed: Raised,
    stopped: Raised,
}

/// One alarm: nothing, waiting to be told, or told.
#[derive(Debug, Default)]
enum Raised {
    #[default]
    No,
    Waits(Notice),
    Told,
}

/// Tells one channel what happens, until whoever holds the sender of `gone` is gone.
pub(crate) async fn tell_for_ever(app: Weak<App>, channel: usize, mut gone: watch::Receiver<()>) {
    let Some((mut committed, mut status)) =
        app.upgrade().map(|app| (app.sequencer.committed(), app.publication.status()))
    else {
        return;
    };
    let (mut standing, mut failed) = (Standing::default(), 0_u32);
    loop {
        {
            let Some(app) = app.upgrade() else { return };
            let told = tokio::select! { told = app.tell(channel, &mut standing) => told, _ = gone.changed() => return };
            failed = if matches!(told, Ok(None)) { 0 } else { failed.saturating_add(1) };
            match told {
                Ok(trouble) => app.telling.note(channel, trouble),
                Err(error) => {
                    tracing::error!(
                        code = error.code(),
                        "reading what is to be told failed; it is tried again"
                    );
                }
            }
        }
        let rest =
            if failed == 0 { REST } else { (REST * 2_u32.saturating_pow(failed.min(16))).min(LONGEST) };
        tokio::select! { () = sleep(rest) => {}, _ = gone.changed() => return }
        if failed == 0 {
            tokio::select! {
                () = sleep(IDLE) => {}
                // A sender that is gone says nothing more; the service ends soon.
                Ok(()) = committed.changed() => {}
                Ok(()) = status.changed() => {}
                _ = gone.changed() => return,
            }
        }
    }
}

impl App {
    /// How many channels there are to tell.
    pub(crate) fn channels(&self) -> usize {
        self.telling.channels.len()
    }

    /// Channels that are new are told what happens from now on, and nothing of the past.
    pub(crate) async fn know_channels(&self) -> Result<(), AppError> {
        for channel in &self.telling.channels {
            let (told, head) = {
                let mut tx = self.store.read().await?;
                (tx.told(&channel.name).await?, tx.log_head().await?)
            };
            if let (None, Some(head)) = (told, head) {
                self.store.note_told(&channel.name, head.size()).await?;
            }
        }
        Ok(())
    }

    /// Tells a channel whatever it has not been told. Says what stood in the way.
    async fn tell(&self, channel: usize, standing: &mut Standing) -> Result<Option<NotTold>, AppError> {
        let Some(channel) = self.telling.channels.get(channel) else { return Ok(None) };
        if let Err(trouble) = self.tell_alarms(channel, standing).await {
            return Ok(Some(trouble));
        }
        loop {
            let (mut noted, from, rows, size) = {
                let mut tx = self.store.read().await?;
                let size = tx.log_head().await?.ok_or(AppError::NotFound("log"))?.size();
                // Another process of this vault may have told more.
                let noted = tx.told(&channel.name).await?.unwrap_or(size);
                let from = noted.max(standing.position);
                (noted, from, tx.notable(from, AT_ONCE).await?, size)
            };
            standing.position = from;
            let more = rows.len() == AT_ONCE as usize;
            for row in rows {
                if let Err(trouble) = self.tell_record(channel, &row).await? {
                    standing.tries += 1;
                    if !channel.is_for_people() || (standing.tries < MAX_TRIES && !trouble.is_for_good()) {
                        return Ok(Some(trouble));
                    }
                    tracing::error!(error = %trouble, log_index = row.log_index, "a letter to a person is given up");
                }
                standing.tries = 0;
                noted = row.log_index + 1;
                self.store.note_told(&channel.name, noted).await?;
                standing.position = noted;
            }
            if !more {
                standing.position = size.max(standing.position);
                if standing.position >= noted + NOTED_AFTER {
                    self.store.note_told(&channel.name, standing.position).await?;
                }
                return Ok(None);
            }
        }
    }

    async fn tell_record(
        &self,
        channel: &Channel,
        row: &NotableRow,
    ) -> Result<Result<(), NotTold>, AppError> {
        let found = TOPICS.iter().find(|(kind, _)| *kind == row.kind);
        let Some((_, topic)) = found else { return Ok(Ok(())) };
        let said = statement(&row.envelope)?;
        let act = Act::parse(&said)?;
        let by_person = matches!(&act, Act::Fixity(_, _, d, _) if d.grant.is_some());
        let topic = if by_person { &FOUND_OTHERWISE } else { topic };
        if !channel.wants(*topic) {
            return Ok(Ok(()));
        }
        // A sender's own mistake at intake: nothing was stored.
        if matches!(&act, Act::Fixity(_, _, d, _) if d.stage.as_str() == AT_INTAKE) {
            return Ok(Ok(()));
        }
        let id = format!("{}-{}", &self.vault.to_hex()[..16], row.log_index);
        let notice = Notice { id, topic: *topic, time: row.received };
        if !channel.is_for_people() {
            return Ok(channel.tell(&notice, None, self.clock.now()).await);
        }
        let mut told = Ok(());
        for person in self.concerned(&said, &act).await? {
            let Some(address) = self.email_of(person).await? else { continue };
            // One who cannot be written to keeps nobody else from a letter.
            told = told.and(channel.tell(&notice, Some(&address), self.clock.now()).await);
        }
        Ok(told)
    }

    /// Whom a record concerns at once: to whom something was offered; who looks at a reading in an emergency.
    async fn concerned(&self, said: &Statement, act: &Act) -> Result<BTreeSet<PersonId>, AppError> {
        let case = match act {
            Act::Transfer(_, TransferStep::Offered(d), _) => return Ok([d.to].into()),
            Act::AccessBreakGlass(case, ..) => *case,
            _ => return Ok(BTreeSet::new()),
        };
        let (now, mut tx) = (self.clock.now(), self.store.read().await?);
        let covers = |term: Option<&Term>| term.is_some_and(|term| term.covers(now));
        let members = tx.members(case).await?;
        let leads = members.into_iter().filter(|(_, roles)| covers(roles.get(&CaseRole::Lead)));
        let mut concerned: BTreeSet<_> = leads.map(|(person, _)| person).collect();
        let mut after = None;
        loop {
            let page = tx.persons(after, AT_ONCE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            let auditors = page.iter().filter(|(_, person)| covers(person.roles.get(&VaultRole::Auditor)));
            concerned.extend(auditors.map(|(person, _)| *person));
        }
        concerned.retain(|person| said.actor.person() != Some(*person));
        Ok(concerned)
    }

    /// Where a person is written to, if that is known.
    async fn email_of(&self, person: PersonId) -> Result<Option<String>, AppError> {
        let introduced = self.introduced(&[Sequence::Person(person)].into()).await?;
        let name: Code = super::parse(FIELD_EMAIL, "field")?;
        Ok(introduced.into_values().next().and_then(|mut fields| fields.remove(&name)))
    }

    /// Tells of alarms that began, once each time they begin.
    async fn tell_alarms(&self, channel: &Channel, standing: &mut Standing) -> Result<(), NotTold> {
        let (quorum_missed, stopped) = {
            let status = self.publication.status();
            let status = status.borrow();
            (status.quorum_missed, status.stopped.is_some())
        };
        self.tell_alarm(channel, (QUORUM_MISSED, quorum_missed), &mut standing.quorum_missed).await?;
        self.tell_alarm(channel, (STOPPED, stopped), &mut standing.stopped).await
    }

    async fn tell_alarm(
        &self,
        channel: &Channel,
        (topic, is_so): (Topic, bool),
        raised: &mut Raised,
    ) -> Result<(), NotTold> {
        if matches!(raised, Raised::No) && is_so {
            *raised = Raised::Waits(Notice { id: Uuid::now_v7().to_string(), topic, time: self.clock.now() });
        }
        if let Raised::Waits(notice) = raised {
            if channel.wants(topic) {
                channel.tell(notice, None, self.clock.now()).await?;
            }
            *raised = Raised::Told;
        }
        if !is_so {
            *raised = Raised::No;
        }
        Ok(())
    }
}
