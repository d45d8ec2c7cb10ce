//! The same statements through the HTTPS API of a vault that is served, and how far its published log is behind.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use custody::receipt::Receipt;
use custody::statement::Actor;
use custos::api;
use custos::client::key;
use custos::clock::SystemClock;
use reqwest::Client;

use crate::Failure;
use crate::speaker::Speaker;

/// Statements signed beforehand for each submitter.
const PREPARED: usize = 2_000;
/// One answer in so many is looked at: when its entry is published.
const LOOKED_AT: u64 = 16;
/// Between two looks at the checkpoint. The open readings of an address are limited to 300 at once.
const LOOK: Duration = Duration::from_millis(40);

/// Statements a second by so many submitters, and the 99th percentile of the milliseconds until they are published.
/// `folder` is a demo's, whose vault is served at `url`.
pub(crate) async fn api(
    url: &str,
    folder: &Path,
    submitters: usize,
    time: Duration,
) -> Result<(f64, f64), Failure> {
    let http = client(&folder.join("vault/tls/server.crt"))?;
    let person = folder.join("people/investigator");
    let token = std::fs::read_to_string(person.join("profile.token"))?.trim().to_owned();
    let (speaker, case) = introduce(&http, url, &token, &person.join("profile.key")).await?;
    let prepared = speaker.registrations(case, submitters, PREPARED)?;
    let (done, recorded) = (Arc::new(AtomicU64::new(0)), Arc::new(std::sync::Mutex::new(Vec::new())));
    let start = Instant::now();
    let watcher = tokio::spawn(watch(http.clone(), format!("{url}/log/checkpoint"), start + time));
    let tasks: Vec<_> = prepared
        .into_iter()
        .map(|statements| {
            let (http, token, to) = (http.clone(), token.clone(), format!("{url}/api/v1/statements"));
            let (done, recorded) = (Arc::clone(&done), Arc::clone(&recorded));
            tokio::spawn(async move {
                for envelope in statements {
                    if start.elapsed() >= time {
                        break;
                    }
                    let body = api::Signed { envelope: api::Bytes64(envelope), openings: Vec::new() };
                    let answer = http.post(&to).bearer_auth(&token).json(&body).send().await?;
                    let answer = answer.error_for_status()?;
                    let (at, bytes) = (Instant::now(), answer.bytes().await?);
                    if done.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOKED_AT) {
                        recorded.lock().map_err(|_| "a submitter panicked")?.push((index(&bytes)?, at));
                    }
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of operations, far below 2^52")]
    let rate = done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    let published = watcher.await??;
    let recorded = recorded.lock().map_err(|_| "a submitter panicked")?;
    Ok((rate, lag(&recorded, &published)?))
}

fn client(certificate: &Path) -> Result<Client, Failure> {
    // Refused where it is set already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(certificate)?)?;
    Ok(Client::builder().no_proxy().http1_only().tls_certs_only([certificate]).build()?)
}

async fn introduce(
    http: &Client,
    url: &str,
    token: &str,
    key_file: &Path,
) -> Result<(Speaker, custody::id::CaseId), Failure> {
    let get = |path: &str| http.get(format!("{url}{path}")).bearer_auth(token).send();
    let vault: api::VaultInfo = get("/api/v1/vault").await?.error_for_status()?.json().await?;
    let me: api::Me = get("/api/v1/me").await?.error_for_status()?.json().await?;
    let cases: api::Cases = get("/api/v1/cases").await?.error_for_status()?.json().await?;
    let case = cases.cases.first().ok_or("the demo has a case")?.id.parse()?;
    let speaker = Speaker {
        vault: vault.fingerprint.parse()?,
        actor: Actor::Person(me.person.id.parse()?),
        key: key::open(key_file, None)?,
        clock: Arc::new(SystemClock::new()),
    };
    Ok((speaker, case))
}

/// When the published log had which size.
async fn watch(http: Client, url: String, until: Instant) -> Result<Vec<(u64, Instant)>, Failure> {
    let mut sizes = Vec::new();
    // A second longer: what was recorded last is to be seen as well.
    while Instant::now() < until + Duration::from_secs(2) {
        let note = http.get(&url).send().await?.error_for_status()?.text().await?;
        let size = note.lines().nth(1).ok_or("a checkpoint has three lines")?.parse()?;
        sizes.push((size, Instant::now()));
        tokio::time::sleep(LOOK).await;
    }
    Ok(sizes)
}

fn index(answer: &[u8]) -> Result<u64, Failure> {
    let recorded: api::Recorded = serde_json::from_slice(answer)?;
    let receipt = recorded.receipts.to_keep().next().ok_or("a statement has a receipt")?;
    Ok(Receipt::parse(&receipt)?.proof.index())
}

/// Milliseconds from the answer until the entry was seen to be published: 99 of 100 take no longer.
fn lag(recorded: &[(u64, Instant)], published: &[(u64, Instant)]) -> Result<f64, Failure> {
    let one = |(index, at): &(u64, Instant)| {
        let seen = published.iter().find(|(size, _)| size > index);
        seen.map(|(_, seen)| seen.saturating_duration_since(*at).as_secs_f64() * 1_000.0)
    };
    let mut lags =
        recorded.iter().map(one).collect::<Option<Vec<_>>>().ok_or("an entry was never published")?;
    lags.sort_unstable_by(f64::total_cmp);
    Ok(*lags.get(lags.len() * 99 / 100).or(lags.last()).ok_or("nothing was recorded")?)
}
