//! Deleting and renaming files, and dropping the bucket.

use std::time::Duration;

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use mongo_actors_protocol::{
    gridfs::{GridFsError, Wanted},
    retry::Outcome,
};

use super::{GridFsBucket, bucket::run};
use crate::{
    ClientSession, Filter,
    action::{ActionFuture, awaitable, setters::setter},
    error::{Error, ErrorKind, Result},
};

/// How many files one command deletes at most: their `_id`s must fit into it.
const AT_ONCE: usize = 10_000;

impl GridFsBucket {
    /// Deletes a file. Its chunks are deleted also when there is no such file.
    ///
    /// # Errors
    /// [`GridFs`](ErrorKind::GridFs) when there is no such file; [`Configuration`](ErrorKind::Configuration) for a write
    /// concern of 0, [`InvalidOperation`](ErrorKind::InvalidOperation) in a transaction, and those of
    /// [`delete_many`](crate::Collection::delete_many).
    ///
    /// # Cancel safety
    /// When the future is dropped, chunks may be left of a file that is deleted otherwise.
    pub fn delete(&self, id: impl Into<Bson>) -> ChangeFiles<'_> {
        self.change(Change::Delete(id.into()))
    }

    /// Deletes all files of a name.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    ///
    /// # Cancel safety
    /// When the future is dropped, any of the files may be deleted, and chunks may be left of them.
    pub fn delete_by_name(&self, filename: impl Into<String>) -> ChangeFiles<'_> {
        self.change(Change::DeleteByName(filename.into()))
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// [`GridFs`](ErrorKind::GridFs) when there is no such file; [`Configuration`](ErrorKind::Configuration) for a write
    /// concern of 0, [`InvalidOperation`](ErrorKind::InvalidOperation) in a transaction, and those of
    /// [`update_one`](crate::Collection::update_one).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn rename(&self, id: impl Into<Bson>, new_filename: impl Into<String>) -> ChangeFiles<'_> {
        self.change(Change::Rename(id.into(), new_filename.into()))
    }

    /// Gives all files of a name another one.
    ///
    /// # Errors
    /// As [`rename`](Self::rename).
    ///
    /// # Cancel safety
    /// Any of the files may have the new name when the future is dropped; see [`action`](crate::action).
    pub fn rename_by_name(&self, filename: impl Into<String>, new_filename: impl Into<String>) -> ChangeFiles<'_> {
        self.change(Change::RenameByName(filename.into(), new_filename.into()))
    }

    /// Drops the bucket with all its files.
    ///
    /// # Errors
    /// [`Configuration`](ErrorKind::Configuration) for a write concern of 0,
    /// [`InvalidOperation`](ErrorKind::InvalidOperation) in a transaction, and those of
    /// [`Collection::drop`](crate::Collection::drop).
    ///
    /// # Cancel safety
    /// When the future is dropped, chunks may be left of files that are gone.
    pub fn drop(&self) -> ChangeFiles<'_> {
        self.change(Change::Drop)
    }

    fn change(&self, change: Change) -> ChangeFiles<'_> {
        ChangeFiles { bucket: self, change, timeout: None, session: None }
    }

    async fn apply(&self, change: Change) -> Result<()> {
        match change {
            Change::Delete(id) => self.delete_file(id).await,
            Change::DeleteByName(filename) => self.delete_files(filename).await,
            Change::Rename(id, name) => {
                let renamed = self.files().update_one(Filter::id(id.clone()), new_name(&name)).await?;
                found(renamed.matched_count, || Wanted::Id(id))
            }
            Change::RenameByName(old, new) => {
                let renamed = self.files().update_many(doc! { "filename": &old }, new_name(&new)).await?;
                found(renamed.matched_count, || Wanted::Name(old))
            }
            Change::Drop => {
                self.forget_indexes();
                self.files().drop().await?;
                self.chunks().drop().await
            }
        }
    }

    async fn delete_file(&self, id: Bson) -> Result<()> {
        let deleted = self.files().delete_one(Filter::id(id.clone())).await?;
        self.delete_chunks(std::slice::from_ref(&id)).await?;
        found(deleted.deleted_count, || Wanted::Id(id))
    }

    async fn delete_files(&self, filename: String) -> Result<()> {
        let only_ids = self.files().clone_with_type::<Document>();
        let found_ids = only_ids.find(doc! { "filename": &filename }).projection(doc! { "_id": 1 }).await?;
        let ids = found_ids.map_ok(|mut file| file.remove("_id").unwrap_or(Bson::Null));
        let ids: Vec<_> = ids.try_collect().await?;
        for ids in ids.chunks(AT_ONCE) {
            self.files().delete_many(doc! { "_id": { "$in": ids } }).await?;
            self.delete_chunks(ids).await?;
        }
        found(ids.len() as u64, || Wanted::Name(filename))
    }
}

fn new_name(name: &str) -> Document {
    doc! { "$set": { "filename": name } }
}

fn found(count: u64, wanted: impl FnOnce() -> Wanted) -> Result<()> {
    if count > 0 { Ok(()) } else { Err(no_file(wanted())) }
}

pub(super) fn no_file(wanted: Wanted) -> Error {
    Error::new(ErrorKind::GridFs(GridFsError::NoFile(wanted))).with_outcome(Outcome::Rejected)
}

enum Change {
    Delete(Bson),
    DeleteByName(String),
    Rename(Bson, String),
    RenameByName(String, String),
    Drop,
}

/// Changes which files there are. Made by [`GridFsBucket::delete`], [`rename`](GridFsBucket::rename) and their like.
#[must_use = "operations do nothing unless they are awaited"]
pub struct ChangeFiles<'a> {
    bucket: &'a GridFsBucket,
    change: Change,
    timeout: Option<Duration>,
    session: Option<&'a mut ClientSession>,
}

impl<'a> ChangeFiles<'a> {
    setter!(timeout);
    setter!(session);
}

awaitable! { ['a] ChangeFiles<'a> => () {
    fn into_future(self) -> Self::IntoFuture {
        let Self { bucket, change, timeout, session } = self;
        ActionFuture::new(async move {
            let budget = bucket.begin_writing(timeout, session.as_deref())?;
            run(budget, session, Box::pin(bucket.apply(change))).await
        })
    }
} }
