//! Refresh families and revocations in SQLite: the model for any database.
//!
//! For Postgres, three things change: parameters are `$1`, `$2`; `max(a, b)` is
//! `GREATEST(a, b)`; and the rotation begins with a plain `BEGIN`, and locks its row by
//! `SELECT … FOR UPDATE`.
//!
//! For a database that several machines share, one more: the time of a rotation is that of the
//! database, for their clocks differ. Give it to `Rotation::at` when a token is rotated, and to
//! `Family::as_of` when a family is read.

use std::time::Duration;

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tower_jwt_auth::{
    error::StoreError,
    maybe_ready::MaybeReady,
    refresh::{Family, RefreshStore, Rotated, Rotation, Session},
    revocation::{Denylist, Revocation, TokenIds},
};

/// The values that a lookup needs have columns of their own; the family itself is JSON.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS families (
        id TEXT PRIMARY KEY, subject TEXT NOT NULL, until INTEGER NOT NULL, family TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS families_of_subject ON families (subject);
    CREATE INDEX IF NOT EXISTS families_until ON families (until);
    CREATE TABLE IF NOT EXISTS revocations (
        key TEXT PRIMARY KEY, before INTEGER, until INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS revocations_until ON revocations (until);
";

/// Both stores; cheap to clone, and all clones are one store.
#[derive(Clone, Debug)]
pub(crate) struct SqliteStore(SqlitePool);

impl SqliteStore {
    /// Opens the database of this file, and creates what it lacks.
    pub(crate) async fn open(file: &str) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A revocation survives a power failure, too.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        // A request that waits for longer is answered 503.
        let pool = SqlitePoolOptions::new().acquire_timeout(Duration::from_secs(5));
        let pool = pool.max_connections(4).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// Deletes what is over: call it now and then, such as every ten minutes.
    pub(crate) async fn sweep(&self, now: i64) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for sql in
            ["DELETE FROM families WHERE until <= ?", "DELETE FROM revocations WHERE until <= ?"]
        {
            deleted += sqlx::query(sql).bind(now).execute(&self.0).await?.rows_affected();
        }
        Ok(deleted)
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, StoreError> {
        // `IMMEDIATE` takes the lock before the read, so that of two requests at once one
        // waits for the other. Dropping the future rolls it back.
        let mut transaction = self.0.begin_with("BEGIN IMMEDIATE").await?;
        let found: Option<String> = sqlx::query_scalar("SELECT family FROM families WHERE id = ?")
            .bind(rotation.id())
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(text) = found else { return Ok(Rotated::Unknown) };
        let mut family: Family = serde_json::from_str(&text)?;
        let rotated = family.rotate(&rotation);
        match &rotated {
            Rotated::Rotated(session) => {
                sqlx::query("UPDATE families SET until = ?, family = ? WHERE id = ?")
                    .bind(session.expires_at())
                    .bind(serde_json::to_string(&family)?)
                    .bind(rotation.id())
                    .execute(&mut *transaction)
                    .await?;
            }
            Rotated::Reused(_) | Rotated::Expired => {
                sqlx::query("DELETE FROM families WHERE id = ?")
                    .bind(rotation.id())
                    .execute(&mut *transaction)
                    .await?;
            }
            Rotated::Repeated { .. } | Rotated::Unknown => {}
        }
        transaction.commit().await?;
        Ok(rotated)
    }
}

/// Each method clones the pool, and answers when the database has.
impl RefreshStore for SqliteStore {
    fn create(&self, family: Family, _now: i64) -> MaybeReady<Result<(), StoreError>> {
        let pool = self.0.clone();
        MaybeReady::pending(async move {
            let session = family.session();
            // Fails if the id is there.
            sqlx::query("INSERT INTO families (id, subject, until, family) VALUES (?, ?, ?, ?)")
                .bind(session.id())
                .bind(session.subject())
                .bind(session.expires_at())
                .bind(serde_json::to_string(&family)?)
                .execute(&pool)
                .await?;
            Ok(())
        })
    }

    fn get(&self, id: &str, now: i64) -> MaybeReady<Result<Option<Family>, StoreError>> {
        let (pool, id) = (self.0.clone(), id.to_owned());
        MaybeReady::pending(async move {
            let sql = "SELECT family FROM families WHERE id = ? AND until > ?";
            let query = sqlx::query_scalar::<_, String>(sql).bind(id).bind(now);
            let found = query.fetch_optional(&pool).await?;
            Ok(found.map(|text| serde_json::from_str(&text)).transpose()?)
        })
    }

    fn rotate(&self, rotation: Rotation) -> MaybeReady<Result<Rotated, StoreError>> {
        let store = self.clone();
        MaybeReady::pending(async move { store.rotate(rotation).await })
    }

    fn list(&self, subject: &str, now: i64) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        let (pool, subject) = (self.0.clone(), subject.to_owned());
        MaybeReady::pending(async move {
            let sql = "SELECT family FROM families WHERE subject = ? AND until > ?";
            let query = sqlx::query_scalar::<_, String>(sql).bind(subject).bind(now);
            sessions(query.fetch_all(&pool).await?)
        })
    }

    fn end(&self, id: &str) -> MaybeReady<Result<Option<Session>, StoreError>> {
        let (pool, id) = (self.0.clone(), id.to_owned());
        MaybeReady::pending(async move {
            let sql = "DELETE FROM families WHERE id = ? RETURNING family";
            let query = sqlx::query_scalar::<_, String>(sql).bind(id);
            Ok(sessions(query.fetch_all(&pool).await?)?.pop())
        })
    }

    fn end_all(&self, subject: &str) -> MaybeReady<Result<Vec<Session>, StoreError>> {
        let (pool, subject) = (self.0.clone(), subject.to_owned());
        MaybeReady::pending(async move {
            let sql = "DELETE FROM families WHERE subject = ? RETURNING family";
            let query = sqlx::query_scalar::<_, String>(sql).bind(subject);
            sessions(query.fetch_all(&pool).await?)
        })
    }
}

fn sessions(families: Vec<String>) -> Result<Vec<Session>, StoreError> {
    let session = |text: &String| Ok(serde_json::from_str::<Family>(text)?.session().clone());
    families.iter().map(session).collect()
}

/// Each request with a token asks the database here, and waits for it. If that is too
/// slow, keep a `MemoryDenylist` in each process and have it follow this table.
impl Denylist for SqliteStore {
    fn revoke(&self, revocation: Revocation) -> MaybeReady<Result<(), StoreError>> {
        let pool = self.0.clone();
        MaybeReady::pending(async move {
            // Of two for one subject, what each revokes stays revoked.
            let sql = "INSERT INTO revocations (key, before, until) VALUES (?, ?, ?)
                ON CONFLICT (key) DO UPDATE SET
                    before = max(before, excluded.before), until = max(until, excluded.until)";
            sqlx::query(sql)
                .bind(revocation.key())
                .bind(revocation.issued_until())
                .bind(revocation.keep_until())
                .execute(&pool)
                .await?;
            Ok(())
        })
    }

    fn is_revoked(&self, token: TokenIds<'_>) -> MaybeReady<Result<bool, StoreError>> {
        let pool = self.0.clone();
        let (mut keys, issued_at) = (token.keys(), token.issued_at());
        // A key that is `NULL` is not in the table.
        let keys = [keys.next(), keys.next(), keys.next()];
        MaybeReady::pending(async move {
            // A subject's tokens are revoked up to a time; one without a time counts as old.
            let sql = "SELECT EXISTS (SELECT 1 FROM revocations WHERE key IN (?, ?, ?)
                AND (before IS NULL OR ? IS NULL OR ? <= before))";
            let [one, two, three] = keys;
            let query = sqlx::query_scalar::<_, bool>(sql).bind(one).bind(two).bind(three);
            Ok(query.bind(issued_at).bind(issued_at).fetch_one(&pool).await?)
        })
    }
}
