//! A database as somebody with a SQL prompt sees it, who also turns off what would stop them.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};

macro_rules! on {
    ($url:expr, $connection:ident => $body:expr) => {
        if $url.starts_with("sqlite:") {
            let mut $connection = SqliteConnection::connect($url).await.unwrap();
            sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut $connection).await.unwrap();
            sqlx::query("PRAGMA busy_timeout = 10000").execute(&mut $connection).await.unwrap();
            let answer = $body;
            $connection.close().await.unwrap();
            answer
        } else {
            let mut $connection = PgConnection::connect($url).await.unwrap();
            sqlx::query("SET session_replication_role = replica").execute(&mut $connection).await.unwrap();
            let answer = $body;
            $connection.close().await.unwrap();
            answer
        }
    };
}

/// Runs a statement that changes `rows` rows.
pub(crate) async fn change(url: &str, sql: &str, rows: u64) {
    let text = AssertSqlSafe(sql.to_owned());
    let changed =
        on!(url, connection => sqlx::query(text).execute(&mut connection).await.unwrap().rows_affected());
    assert_eq!(changed, rows, "{sql}");
}

/// The bytes that a statement finds.
pub(crate) async fn bytes(url: &str, sql: &str) -> Vec<u8> {
    let text = AssertSqlSafe(sql.to_owned());
    on!(url, connection => sqlx::query(text).fetch_one(&mut connection).await.unwrap().get(0))
}

/// The number that a statement finds.
pub(crate) async fn number(url: &str, sql: String) -> i64 {
    let text = AssertSqlSafe(sql);
    on!(url, connection => sqlx::query(text).fetch_one(&mut connection).await.unwrap().get(0))
}

/// Flips one bit in the middle of the only cell that `table.column WHERE rows` names; doing it twice undoes it.
pub(crate) async fn flip(url: &str, table: &str, column: &str, rows: &str) {
    let mut cell = bytes(url, &format!("SELECT {column} FROM {table} WHERE {rows}")).await;
    let middle = cell.len() / 2;
    cell[middle] ^= 1;
    let text = AssertSqlSafe(format!("UPDATE {table} SET {column} = $1 WHERE {rows}"));
    on!(url, connection => sqlx::query(text).bind(cell).execute(&mut connection).await.map(drop).unwrap());
}

/// Does some work while somebody else holds what `first` writes, who then wants what the work holds and writes `then`: each
/// waits for the other, and the engine gives one of them up. Whoever is held here goes without either.
pub(crate) async fn crossed<T>(url: &str, first: &str, then: &str, work: impl Future<Output = T>) -> T {
    let [begin, first, then, end] =
        ["BEGIN", first, then, "ROLLBACK"].map(|sql| AssertSqlSafe(sql.to_owned()));
    on!(url, connection => {
        sqlx::query(begin).execute(&mut connection).await.unwrap();
        sqlx::query(first).execute(&mut connection).await.unwrap();
        let crosses = async {
            until_waiting(url, 1).await;
            // Which of the two is given up is the engine's choice.
            drop(sqlx::query(then).execute(&mut connection).await);
            sqlx::query(end).execute(&mut connection).await.unwrap();
        };
        tokio::join!(work, crosses).0
    })
}

/// Does some work while somebody else holds what `sql` writes, all the time.
pub(crate) async fn held_during<T>(url: &str, sql: &str, work: impl Future<Output = T>) -> T {
    let [begin, sql, end] = ["BEGIN", sql, "ROLLBACK"].map(|sql| AssertSqlSafe(sql.to_owned()));
    on!(url, connection => {
        sqlx::query(begin).execute(&mut connection).await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        let answer = work.await;
        sqlx::query(end).execute(&mut connection).await.unwrap();
        answer
    })
}

/// Returns once so many wait for what others hold. SQLite says nothing of them.
pub(crate) async fn until_waiting(url: &str, waiting: i64) {
    let who_waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    if url.starts_with("sqlite:") {
        tokio::task::yield_now().await;
    } else {
        while number(url, who_waits.to_owned()).await < waiting {}
    }
}

/// Does some work while somebody else holds what `sql` writes, until `waiting` others want it. SQLite says nothing of who
/// waits; there everything is held, and let go once the work had its turn.
pub(crate) async fn while_held<T>(url: &str, sql: &str, waiting: i64, work: impl Future<Output = T>) -> T {
    let (begin, sql) = (AssertSqlSafe("BEGIN"), AssertSqlSafe(sql.to_owned()));
    on!(url, connection => {
        sqlx::query(begin).execute(&mut connection).await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        let let_go = async {
            until_waiting(url, waiting).await;
            sqlx::query(AssertSqlSafe("COMMIT")).execute(&mut connection).await.unwrap();
        };
        tokio::join!(work, let_go).0
    })
}
