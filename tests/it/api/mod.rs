mod addresses;
mod by_sender;
mod bytes;
mod carriage;
mod cases;
mod crash;
mod derived;
mod destruction;
mod disk;
mod durable;
mod ends;
mod glass;
mod holding;
mod key_names;
mod markers;
mod matrix;
mod names;
mod newcomers;
mod productions;
mod racing;
mod recorded;
mod refused;
mod resealing;
pub(crate) mod restricted;
mod retention;
mod rotation;
pub(crate) mod spine;
mod statements;
mod stays;
mod suspension;
mod tiles;
mod transfers;

use custody::act::{AccessDenied, Act};
use custody::envelope::{Envelope, PayloadType};
use custody::kind::Kind;
use custody::record::Sequence;
use custody::statement::Statement;
use custos::store::{RecordRow, Store};

use crate::support::app::TestApp;

/// Changes the database beside the service, in a way that no request could; how many rows.
async fn alter(app: &TestApp, sql: &str) -> u64 {
    use sqlx::{AssertSqlSafe, Connection as _};
    let (text, url) = (AssertSqlSafe(sql.to_owned()), app.config.database_url());
    if url.starts_with("sqlite") {
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        sqlx::query(text).execute(&mut connection).await.unwrap().rows_affected()
    } else {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::query(text).execute(&mut connection).await.unwrap().rows_affected()
    }
}

/// Every record of the vault, read beside the running service.
async fn log_of(app: &TestApp) -> Vec<RecordRow> {
    let store = Store::open(app.config.database_url()).await.unwrap();
    let mut rows = Vec::new();
    loop {
        let page = store.read().await.unwrap().records_from(rows.len() as u64, 500).await.unwrap();
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    store.close().await;
    rows
}

/// How many refusals of somebody are recorded, by how many records.
pub(crate) async fn refused(app: &TestApp, person: &str, act: &str) -> (u64, usize) {
    let all = refusals(app).await;
    let theirs = all.iter().filter(|(_, d)| d.person.to_string() == person && d.act.as_str() == act);
    let counts: Vec<_> = theirs.map(|(_, denied)| denied.count).collect();
    (counts.iter().sum(), counts.len())
}

/// Every refusal that was recorded: where, and what it says.
async fn refusals(app: &TestApp) -> Vec<(Option<Sequence>, AccessDenied)> {
    let rows = log_of(app).await;
    rows.iter().filter(|row| row.kind == Kind::AccessDenied).map(denied).collect()
}

fn denied(row: &RecordRow) -> (Option<Sequence>, AccessDenied) {
    let envelope = Envelope::parse(&row.envelope, PayloadType::Statement).unwrap();
    let act = Act::parse(&Statement::parse(envelope.body()).unwrap()).unwrap();
    let Act::AccessDenied(_, _, data) = act else { unreachable!() };
    (row.own.as_ref().or(row.case.as_ref()).map(|place| place.sequence), data)
}
