//! Sessions.

use bson::{Bson, Document, Timestamp};
use mongo_actors::{ClientSession, options::SessionOptions};
use tokio::sync::{Mutex, MutexGuard};

use super::EntityMap;
use crate::unified::{
    arguments::Arguments,
    failure::{Outcome, failure},
    operations::transaction_options,
    schema,
};

/// A session. Operations borrow it one after the other.
pub(crate) struct SessionEntity {
    lsid: Document,
    session: Mutex<ClientSession>,
}

impl SessionEntity {
    pub(super) async fn create(entity: &schema::SessionEntity, entities: &EntityMap) -> Outcome<Self> {
        let client = entities.client(&entity.client)?;
        let given = entity.session_options.clone().unwrap_or_default().0;
        let options = options(&given, entities)?;
        let session = client.client.start_session().with_options(options).await;
        let session = session.map_err(|error| failure!("the session {}: {error}", entity.id))?;
        let lsid = Document::try_from(session.id()).map_err(|error| failure!("a malformed session id: {error}"))?;
        Ok(Self { lsid, session: Mutex::new(session) })
    }

    /// Its id, also after it has ended.
    pub(crate) fn lsid(&self) -> Document {
        self.lsid.clone()
    }

    /// The session, for one operation.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, ClientSession> {
        self.session.lock().await
    }
}

fn options(given: &Document, entities: &EntityMap) -> Outcome<SessionOptions> {
    let mut given = Arguments::new(given);
    let mut options = SessionOptions::default();
    options.causal_consistency = given.take("causalConsistency")?;
    options.snapshot = given.take("snapshot")?;
    options.default_timeout = given.take("defaultTimeoutMS")?;
    if let Some(defaults) = given.take::<Document>("defaultTransactionOptions")? {
        let mut defaults = Arguments::new(&defaults);
        options.default_transaction_options = Some(transaction_options(&mut defaults)?);
        defaults.finish()?;
    }
    if let Some(name) = given.take::<String>("snapshotTime")? {
        options.snapshot_time = Some(timestamp(&entities.bson(&name)?)?);
    }
    given.finish()?;
    Ok(options)
}

fn timestamp(value: &Bson) -> Outcome<Timestamp> {
    value.as_timestamp().ok_or_else(|| failure!("{value} is no timestamp"))
}
