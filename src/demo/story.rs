//! The story, step by step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use custody::act::{
    CaseOpened, CaseRole, CaseType, Class, MemberChange, OrgRegistered, TransferStep, VaultRole,
};
use custody::bundle::Report;
use custody::bundle::findings::Gravity;
use custody::id::{CaseId, Code, ItemId, OrgId, PersonId};
use custody::kind::Kind;
use futures_util::StreamExt as _;
use tokio::sync::oneshot;

use super::people::Door;
use super::{Demo, Finding, Running, Told, sample, tamper};
use crate::api;
use crate::app::setup::{self, InitOptions, InitReport};
use crate::cli::failure::Failure;
use crate::cli::table::size;
use crate::cli::{export, get, log, transfer, verify};
use crate::client::intake::{Intake, Source, walk};
use crate::client::{Ask, Client, ClientError, new_case_id, new_op_id, secret};
use crate::config::{Config, Flags};
use crate::http::{self, ServeError};

/// The port that is taken when it is free.
const PORT: u16 = 8443;
/// Uploads at a time.
const PARALLEL: usize = 4;
/// Most items that change hands.
const MAX_TRANSFERRED: usize = 1_000;
/// Most receipts that are given to the verifier along with the bundle.
const MAX_RECEIPTS: usize = 64;

/// Tells steps and times them.
struct Narrator<'a> {
    demo: &'a Demo,
    number: u32,
    since: Instant,
    timings_ms: Vec<(&'static str, u64)>,
}

impl Narrator<'_> {
    /// A step is done.
    fn done(&mut self, name: &'static str, what: &str) {
        self.number += 1;
        let took = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.timings_ms.push((name, took));
        self.demo.out.say(&format!("{:>2}  ✓  {what}", self.number));
        self.since = Instant::now();
    }
}

/// The people, signed in.
struct Cast {
    investigator: Arc<Client>,
    custodian: Client,
    prosecutor: Client,
}

impl Demo {
    /// Plays the story with the files of `source`, or the sample case; the server keeps running.
    pub(crate) async fn tell(&self, source: Option<&Path>) -> Result<(Told, Running), Failure> {
        let since = Instant::now();
        let mut narrator = Narrator { demo: self, number: 0, since, timings_ms: Vec::new() };
        let source = self.source(source)?;
        let (sources, skipped) = walk(&source, &only_name(&source))?;
        for path in &skipped {
            self.out.say(&format!("        left out, neither file nor folder: {}", path.display()));
        }
        if sources.is_empty() {
            return Err(Failure::new(format!("there are no files in {}", source.display())));
        }
        let init = self.init().await?;
        narrator.done(
            "init",
            &format!("A vault is made. Its fingerprint, for paper:\n        {}", init.fingerprint),
        );
        let (url, running) = self.serve().await?;
        narrator.done(
            "serve",
            &format!("It serves {url}. Its certificate's fingerprint:\n        {}", init.tls_fingerprint),
        );
        let told = self.play(narrator, &init, url, sources).await;
        match told {
            Ok(told) => Ok((told, running)),
            Err(failure) => {
                let _ = running.end().await;
                Err(failure)
            }
        }
    }

    async fn play(
        &self,
        mut narrator: Narrator<'_>,
        init: &InitReport,
        url: String,
        sources: Vec<Source>,
    ) -> Result<Told, Failure> {
        let people = self.enrol(init, &url, &mut narrator).await?;
        let case = open_case(&people).await?;
        narrator.done("case", "The investigator opens a case; custodian and prosecutor become members.");

        let (exhibits, bytes) = take_in(&people.investigator, case, sources).await?;
        let what = format!(
            "{exhibits} files ({}) go in, encrypted; for each the digest taken before sending agrees with the vault's.",
            size(bytes)
        );
        narrator.done("put", &what);

        let items = people.investigator.items(case, None).await?;
        let viewed = self.view(&people.prosecutor, &items).await?;
        narrator.done(
            "view",
            &match viewed {
                Some(name) => format!(
                    "The prosecutor states a purpose and reads {name}: on record before the first byte."
                ),
                None => "There is no content to read.".to_owned(),
            },
        );

        let transferred = hand_over(&people, case, &items).await?;
        let what = format!("{transferred} items change hands under two signatures: offered, and accepted.");
        narrator.done("transfer", &what);

        let export = self.export(&people.prosecutor, case).await?;
        let what =
            format!("The prosecutor exports the case: {} records, {}.", export.records, size(export.size));
        narrator.done("export", &what);
        let (entries, note) = log::save_entries(&people.prosecutor, &self.path("log-entries.bin")).await?;
        secret::write(&self.path("checkpoint"), String::from_utf8_lossy(&note).trim_end())?;
        narrator.done(
            "entries",
            &format!("Anybody can fetch the log's {entries} public entries; they tell nothing."),
        );

        let receipts = self.receipts();
        let pinned = verify::report(custody_verify::Args {
            entries: Some(self.path("log-entries.bin")),
            checkpoint: Some(self.path("checkpoint")),
            receipt: receipts.iter().take(MAX_RECEIPTS).cloned().collect(),
            ..verify::pinned(&self.path("bundle.zip"), Some(init.fingerprint))
        })
        .await?;
        let what = format!(
            "The court's verifier, given fingerprint, entries and {} receipts: {}.{}",
            receipts.len().min(MAX_RECEIPTS),
            pinned.verdict,
            named(&pinned)
        );
        narrator.done("verify", &what);
        let unpinned = verify::report(verify::pinned(&self.path("bundle.zip"), None)).await?;
        let what = format!("Given nothing but the bundle: {}.{}", unpinned.verdict, named(&unpinned));
        narrator.done("verify-unpinned", &what);

        let tamper_finding = self.tamper(init, &mut narrator).await?;
        Ok(Told {
            bundle: self.path("bundle.zip"),
            bundle_size: export.size,
            case: case.to_string(),
            checkpoint: self.path("checkpoint"),
            entries: self.path("log-entries.bin"),
            exhibits,
            exit_code: pinned.exit_code,
            findings: codes(&pinned),
            findings_unpinned: codes(&unpinned),
            fingerprint: init.fingerprint,
            payload_bytes: bytes,
            profiles: self.path("people"),
            receipts: receipts.len() as u64,
            records: pinned.facts.records,
            tamper_finding,
            tampered: self.path("tampered.zip"),
            tls_fingerprint: init.tls_fingerprint,
            timings_ms: narrator.timings_ms,
            transferred,
            url,
            verdict: pinned.verdict,
            version: env!("CARGO_PKG_VERSION"),
        })
    }

    fn source(&self, source: Option<&Path>) -> Result<PathBuf, Failure> {
        if let Some(source) = source {
            return source
                .canonicalize()
                .map_err(|error| Failure::new(format!("cannot read {}", source.display())).because(&error));
        }
        let folder = self.path("sample-case");
        sample::write(&folder)?;
        Ok(folder)
    }

    async fn init(&self) -> Result<InitReport, Failure> {
        let options = InitOptions {
            org_name: "Sample Vault Operator".to_owned(),
            admin_name: "Sample Administrator".to_owned(),
            passphrase: None,
            samples_only: true,
        };
        Ok(setup::init(&self.config(PORT)?, options).await?)
    }

    /// A configuration of its own: nothing of this machine's changes the story.
    fn config(&self, port: u16) -> Result<Config, Failure> {
        let flags = Flags {
            config: Some("/dev/null".into()),
            listen: Some(format!("127.0.0.1:{port}")),
            data_dir: Some(self.path("vault")),
            origin: Some(format!("https://127.0.0.1:{PORT}")),
            ..Flags::default()
        };
        Ok(Config::load(&flags, &|_| None)?)
    }

    /// Serves on the usual port, or else on a free one.
    async fn serve(&self) -> Result<(String, Running), Failure> {
        match serve(self.config(PORT)?).await {
            Err(ServeError::Listen { .. }) => Ok(serve(self.config(0)?).await?),
            served => Ok(served?),
        }
    }

    async fn enrol(
        &self,
        init: &InitReport,
        url: &str,
        narrator: &mut Narrator<'_>,
    ) -> Result<Cast, Failure> {
        let door = Door {
            url,
            tls: init.tls_fingerprint,
            fingerprint: init.fingerprint,
            people: self.path("people"),
        };
        let administrator = door.administrator(init.admin_person, &init.token).await?;
        narrator
            .done("administrator", "The administrator signs in and enrols a key; the vault vouches once.");
        let org = OrgId::new(uuid::Uuid::now_v7());
        let ask = Ask::new(Kind::OrgRegistered, new_op_id())
            .data(OrgRegistered { org }.to_data())
            .fields([(code("name")?, "Sample Field Office".to_owned())].into());
        administrator.say(&ask).await?;
        let invite = |role, name, vault_roles| door.invited(&administrator, org, role, name, vault_roles);
        let investigator =
            invite("investigator", "Sample Investigator", &[VaultRole::Investigator][..]).await?;
        let custodian = invite("custodian", "Sample Custodian", &[VaultRole::Custodian][..]).await?;
        let prosecutor = invite("prosecutor", "Sample Prosecutor", &[][..]).await?;
        narrator.done(
            "people",
            "Investigator, custodian and prosecutor are invited; each makes a key on their own device.",
        );
        Ok(Cast { investigator: Arc::new(investigator), custodian, prosecutor })
    }

    /// The prosecutor reads the first item that has content; its title.
    async fn view(&self, prosecutor: &Client, items: &[api::Item]) -> Result<Option<String>, Failure> {
        let Some(item) = items.iter().find(|item| item.stored.is_some()) else { return Ok(None) };
        let id: ItemId = item.id.parse().map_err(|_| ClientError::Protocol("an item's id is a UUID"))?;
        let grant = get::grant(prosecutor, item, (&code("case-review")?, None), BTreeMap::new()).await?;
        let mut download = prosecutor.content(id, grant, None).await?;
        let path = self.path(&format!("viewed-exhibit-{}", item.exhibit));
        let file = crate::cli::files::create_new(&path)?;
        let (digest, _) = get::save(prosecutor, &mut download, file, |_| ()).await?;
        download.check(digest)?;
        prosecutor.complete_access(id, grant).await?;
        Ok(Some(item.fields.get("title").cloned().unwrap_or_else(|| format!("exhibit {}", item.exhibit))))
    }

    async fn export(&self, prosecutor: &Client, case: CaseId) -> Result<api::Export, Failure> {
        let fields = [("recipient", "Sample Court"), ("authority", "Sample order")];
        let new = api::NewExport {
            productions: Vec::new(),
            purpose: "court".to_owned(),
            fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        };
        let export = prosecutor.export(case, &new).await?;
        export::download(prosecutor, &export, &self.path("bundle.zip"), self.out).await?;
        Ok(export)
    }

    /// Every receipt that somebody keeps.
    fn receipts(&self) -> Vec<PathBuf> {
        let people = ["investigator", "custodian", "prosecutor"];
        let folders = people.map(|role| self.path("people").join(role).join("profile.receipts"));
        let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
        files.filter_map(Result::ok).map(|entry| entry.path()).collect()
    }

    async fn tamper(
        &self,
        init: &InitReport,
        narrator: &mut Narrator<'_>,
    ) -> Result<Option<Finding>, Failure> {
        let copy = self.path("tampered.zip");
        let changed = tamper::one_byte(&self.path("bundle.zip"), &copy)?;
        let report = verify::report(verify::pinned(&copy, Some(init.fingerprint))).await?;
        let found = report.findings.iter().find(|finding| {
            finding.code.gravity() == Gravity::Failed
                && finding.places.iter().any(|place| place.path == changed)
        });
        let finding = found.filter(|_| report.exit_code == 3).and_then(|finding| {
            let place = finding.places.iter().find(|place| place.path == changed)?;
            Some(Finding {
                code: finding.code.name(),
                path: place.path.clone(),
                detail: place.detail.clone(),
            })
        });
        narrator.done(
            "tamper",
            &match &finding {
                Some(finding) => format!(
                    "One byte of a copy is changed: {}.\n        {}: {}: {}",
                    report.verdict, finding.code, finding.path, finding.detail
                ),
                None => {
                    format!("One byte of a copy is changed ({changed}), and the verifier did not name it.")
                }
            },
        );
        Ok(finding)
    }
}

async fn serve(config: Config) -> Result<(String, Running), ServeError> {
    let (ready, bound) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let runtime = tokio::runtime::Handle::current();
    // A thread of its own: the server as it is set up cannot move between threads.
    let serving = tokio::task::spawn_blocking(move || {
        let until = async {
            let _ = stopped.await;
        };
        runtime.block_on(http::serve(&config, None, ready, until))
    });
    if let Ok(bound) = bound.await {
        return Ok((format!("https://{}", bound.addr), Running { stop, serving }));
    }
    let ended = serving.await.unwrap_or_else(|panic| Err(ServeError::Run(std::io::Error::other(panic))));
    Err(ended.err().unwrap_or_else(|| ServeError::Run(std::io::Error::other("it ended before it began"))))
}

async fn open_case(people: &Cast) -> Result<CaseId, Failure> {
    let case = new_case_id();
    let data = CaseOpened { case_type: CaseType::Other, jurisdiction: code("xx")? };
    let ask = Ask::new(Kind::CaseOpened, new_op_id())
        .case(case)
        .data(data.to_data())
        .fields([(code("title")?, "Sample case".to_owned())].into());
    people.investigator.say(&ask).await?;
    let members: [(PersonId, CaseRole); 2] = [
        (people.custodian.person(), CaseRole::Custodian),
        (people.prosecutor.person(), CaseRole::Prosecutor),
    ];
    for (member, role) in members {
        let ask =
            Ask::new(Kind::MemberAdded, new_op_id()).case(case).data(MemberChange { member, role }.to_data());
        people.investigator.say(&ask).await?;
    }
    Ok(case)
}

/// Takes all files in; how many, and their bytes.
async fn take_in(
    investigator: &Arc<Client>,
    case: CaseId,
    sources: Vec<Source>,
) -> Result<(u64, u64), Failure> {
    let intake =
        Arc::new(Intake { case, class: Class::Open, sealing: None, pairs: None, fields: BTreeMap::new() });
    let mut results = Box::pin(investigator.take_in(intake, sources, PARALLEL, |_| ()));
    let (mut files, mut bytes) = (0, 0);
    while let Some((source, ended)) = results.next().await {
        let taken = ended.map_err(|error| {
            let failure = Failure::from(error);
            let what = format!("{}: {}", source.path, failure.what());
            let hint = failure.advice().unwrap_or_default().to_owned();
            Failure::new(what).exits(failure.exit()).hint(hint)
        })?;
        files += 1;
        bytes += taken.size;
    }
    Ok((files, bytes))
}

async fn hand_over(people: &Cast, case: CaseId, items: &[api::Item]) -> Result<u64, Failure> {
    let items = &items[..items.len().min(MAX_TRANSFERRED)];
    let purpose = code("safekeeping")?;
    let (to, days, fields) = (people.custodian.person(), 14, BTreeMap::new());
    let terms = transfer::Terms { to, carriers: &[], purpose: &purpose, days, fields };
    transfer::offer(&people.investigator, case, &terms, items).await?;
    let waiting = people.custodian.transfers().await?;
    let accepted = transfer::answer(&people.custodian, &TransferStep::Accepted(None), &waiting).await?;
    if accepted == items.len() { Ok(accepted as u64) } else { Err(Failure::new("not every offer arrived")) }
}

fn codes(report: &Report) -> Vec<&'static str> {
    let graver = report.findings.iter().filter(|finding| finding.code.gravity() != Gravity::Notice);
    graver.map(|finding| finding.code.name()).collect()
}

fn named(report: &Report) -> String {
    let codes = codes(report);
    if codes.is_empty() { String::new() } else { format!("\n        {}", codes.join(", ")) }
}

fn code(text: &str) -> Result<Code, ClientError> {
    text.parse().map_err(|_| ClientError::Protocol("a name of our own is a code"))
}

/// A single file keeps its name; what lies in a folder is named from there.
fn only_name(source: &Path) -> String {
    if source.is_dir() {
        return String::new();
    }
    source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
