//! What a test uses by name.

mod client;
mod cursor;
mod handles;
mod session;
mod thread;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bson::{Bson, Document};
use mongo_actors::{Collection, Database, gridfs::GridFsBucket, topology::TopologyDescription};

pub(super) use self::{client::ClientEntity, cursor::CursorEntity, session::SessionEntity, thread::ThreadEntity};
use super::{
    deployments::Deployment,
    failure::{Outcome, failure},
    schema,
};

/// A named thing.
#[derive(Clone)]
pub(super) enum Entity {
    Client(Arc<ClientEntity>),
    Database(Database),
    Collection(Collection<Document>),
    Bucket(GridFsBucket),
    Session(Arc<SessionEntity>),
    Cursor(Arc<CursorEntity>),
    Thread(Arc<ThreadEntity>),
    Topology(Arc<TopologyDescription>),
    Bson(Bson),
}

impl Entity {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Client(_) => "a client",
            Self::Database(_) => "a database",
            Self::Collection(_) => "a collection",
            Self::Bucket(_) => "a bucket",
            Self::Session(_) => "a session",
            Self::Cursor(_) => "a cursor",
            Self::Thread(_) => "a thread",
            Self::Topology(_) => "a topology description",
            Self::Bson(_) => "a value",
        }
    }
}

/// The entities of one test.
#[derive(Default)]
pub(super) struct EntityMap(Mutex<HashMap<String, Entity>>);

/// Implements a getter for one kind of entities.
macro_rules! getter {
    ($name:ident, $kind:ident, $type:ty) => {
        pub(super) fn $name(&self, name: &str) -> Outcome<$type> {
            match self.get(name)? {
                Entity::$kind(entity) => Ok(entity),
                other => Err(failure!("the entity {name} is {} instead of a {}", other.kind(), stringify!($name))),
            }
        }
    };
}

impl EntityMap {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entity>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, name: &str) -> Outcome<Entity> {
        self.lock().get(name).cloned().ok_or_else(|| failure!("there is no entity {name}"))
    }

    /// Adds an entity, whose name must be new.
    pub(super) fn insert(&self, name: &str, entity: Entity) -> Outcome {
        match self.lock().entry(name.to_owned()) {
            std::collections::hash_map::Entry::Occupied(_) => Err(failure!("there is an entity {name} already")),
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(entity);
                Ok(())
            }
        }
    }

    getter!(client, Client, Arc<ClientEntity>);
    getter!(database, Database, Database);
    getter!(session, Session, Arc<SessionEntity>);
    getter!(thread, Thread, Arc<ThreadEntity>);
    getter!(topology, Topology, Arc<TopologyDescription>);
    getter!(bson, Bson, Bson);

    /// Makes what the file describes.
    pub(super) async fn create(&self, entity: &schema::Entity, deployment: &Deployment, faulty: bool) -> Outcome {
        match entity {
            schema::Entity::Client(entity) => {
                let client = ClientEntity::create(entity, deployment, faulty).await?;
                self.insert(&entity.id, Entity::Client(Arc::new(client)))
            }
            schema::Entity::Database(entity) => {
                let database = handles::database(entity, &self.client(&entity.client)?.client)?;
                self.insert(&entity.id, Entity::Database(database))
            }
            schema::Entity::Collection(entity) => {
                let collection = handles::collection(entity, &self.database(&entity.database)?)?;
                self.insert(&entity.id, Entity::Collection(collection))
            }
            schema::Entity::Thread(entity) => self.insert(&entity.id, Entity::Thread(Arc::default())),
            schema::Entity::Session(entity) => {
                let session = SessionEntity::create(entity, self).await?;
                self.insert(&entity.id, Entity::Session(Arc::new(session)))
            }
            schema::Entity::Bucket(entity) => {
                let bucket = handles::bucket(entity, &self.database(&entity.database)?)?;
                self.insert(&entity.id, Entity::Bucket(bucket))
            }
            schema::Entity::ClientEncryption(_) => {
                Err(failure!("client-side encryption is a later part of the driver"))
            }
        }
    }

    /// Every entity.
    pub(super) fn all(&self) -> Vec<Entity> {
        self.lock().values().cloned().collect()
    }

    /// Forgets every entity.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }
}
