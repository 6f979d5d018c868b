//! The client, databases and collections.
//!
//! # The client
//!
//! What waits for a server has a future; what tells of what is known already does not.
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `topology_description` | [`Client::topology_description`] | |
//! | `address` | [`Client::address`] | |
//! | `primary`, `secondaries`, `arbiters`, `nodes` | [`Client::primary`], [`Client::secondaries`], [`Client::arbiters`], [`Client::nodes`] | never wait |
//! | `is_primary`, `is_mongos` | [`Client::is_primary`], [`Client::is_mongos`] | |
//! | `codec_options`, `read_preference`, `read_concern`, `write_concern` | the methods of the same names of the [client](Client::codec_options), and of the other handles | a database's and a collection's preference is its [`selection_criteria`](Database::selection_criteria), which can also be a predicate |
//! | `options` | [`Client::options`], [`Client::metadata`] | listeners and the selector are not part of it |
//! | `client[name]`, `client.name` | [`Client::database`] | |
//! | `get_database` | [`Client::database_with`], [`Client::database_with_options`] | |
//! | `get_default_database` | [`Client::default_database`], [`Client::default_database_or`] | |
//! | `list_databases` | [`Client::list_databases`] | a list: the server sends all at once; `nameOnly` is the next |
//! | `list_database_names` | [`Client::list_database_names`] | |
//! | `drop_database` | [`Client::drop_database`], [`Database::drop`] | |
//! | `start_session` | [`Client::start_session`] | |
//! | `server_info` | [`Client::server_info`], [`Client::build_info`] | |
//! | `watch` | [`Client::watch`] | |
//! | `bulk_write` | [`Client::bulk_write`] | also with encodings of a document when its command is due; no writes are an [`InvalidArgument`](ErrorKind::InvalidArgument) |
//! | `close`, `aclose` | [`Client::close`], [`Client::shutdown_within`] | |
//! | `aconnect` | [`Client::warm_up`] | waits for `minPoolSize`, too |
//! | `append_metadata` | [`Client::append_metadata`] | |
//! | `repr()` | `Debug` | shows no secrets |
//! | | [`Client::ping`], [`Client::supervision`], [`Client::restart`], [`Client::flush_events`] | only here |
//!
//! # Databases
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `client`, `name` | [`Database::client`], [`Database::name`] | |
//! | `with_options` | [`Database::with_options`] | |
//! | `db[name]`, `db.name`, `get_collection` | [`Database::collection`], [`Database::collection_with_options`] | |
//! | `create_collection` | [`Database::create_collection`] | [`check_exists`](CreateCollection::check_exists) is off by default, as another client may be faster anyway; settings of the handle by [`Collection::with_options`] |
//! | `aggregate` | [`Database::aggregate`] | |
//! | `command` | [`Database::run_command`] | `check=False` is [`unchecked`](RunCommand::unchecked), `allowable_errors` are [`allow_code`](RunCommand::allow_code) and [`allow_message`](RunCommand::allow_message), `codec_options` [`with_type`](RunCommand::with_type) |
//! | `cursor_command` | [`Database::run_cursor_command`] | |
//! | `list_collections` | [`Database::list_collections`] | |
//! | `list_collection_names` | [`Database::list_collection_names`] | |
//! | `drop_collection` | [`Database::drop_collection`], [`Collection::drop`] | |
//! | `validate_collection` | [`Database::validate_collection`], [`Collection::validate`] | a collection that is not valid is a [`CollectionInvalid`](ErrorKind::CollectionInvalid) with the report |
//! | `dereference` | [`Database::dereference`] | |
//! | `watch` | [`Database::watch`] | |
//! | `AsyncGridFSBucket(db)` | [`Database::gridfs_bucket`] | see [`files`](super::files) |
//! | | [`Database::modify_collection`] | only here |
//!
//! # Collections
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `database`, `name`, `full_name` | [`Collection::database`], [`Collection::name`], [`Collection::namespace`] | |
//! | `coll.sub` | [`Collection::child`] | |
//! | `with_options` | [`Collection::with_options`], [`Collection::clone_with_type`] | |
//! | `insert_one` | [`Collection::insert_one`] | a raw document gets an `_id` as well |
//! | `insert_many` | [`Collection::insert_many`] | any iterator; encoded as commands are due |
//! | `replace_one` | [`Collection::replace_one`] | |
//! | `update_one`, `update_many` | [`Collection::update_one`], [`Collection::update_many`] | `sort` with many is for the server to refuse |
//! | `delete_one`, `delete_many` | [`Collection::delete_one`], [`Collection::delete_many`] | |
//! | `bulk_write` | [`Collection::bulk_write`] | |
//! | `find` | [`Collection::find`] | awaiting it sends the command; [`lazy`](Find::lazy) does not |
//! | `find_one` | [`Collection::find_one`] | by `_id`: [`Filter::id`] |
//! | `find_raw_batches` | [`Collection::find_raw_batches`] | in a session: [`SessionCursor::next_raw_batch`] |
//! | `estimated_document_count` | [`Collection::estimated_document_count`] | has no session, which does not compile |
//! | `count_documents` | [`Collection::count_documents`] | a limit of 0 is none |
//! | `distinct` | [`Collection::distinct`] | |
//! | `aggregate` | [`Collection::aggregate`] | |
//! | `aggregate_raw_batches` | [`Aggregate::raw_batches`] | |
//! | `watch` | [`Collection::watch`] | |
//! | `create_index`, `create_indexes` | [`Collection::create_index`], [`Collection::create_indexes`] | options are those of the [`IndexModel`] |
//! | `drop_index` | [`Collection::drop_index`], [`Collection::drop_index_by_keys`] | |
//! | `drop_indexes` | [`Collection::drop_indexes`] | |
//! | `list_indexes`, `index_information` | [`Collection::list_indexes`], [`Collection::list_index_names`], [`Collection::index_information`] | |
//! | `list_search_indexes` | [`Collection::list_search_indexes`] | |
//! | `create_search_index`, `create_search_indexes` | [`Collection::create_search_index`], [`Collection::create_search_indexes`] | |
//! | `update_search_index` | [`Collection::update_search_index`] | of a collection that does not exist it is the server's error, and no success |
//! | `drop_search_index` | [`Collection::drop_search_index`] | |
//! | `options` | [`Collection::options`] | |
//! | `rename` | [`Collection::rename`] | gives the handle under its new name |
//! | `drop` | [`Collection::drop`] | |
//! | `find_one_and_delete`, `.._replace`, `.._update` | [`Collection::find_one_and_delete`], [`Collection::find_one_and_replace`], [`Collection::find_one_and_update`] | |
//!
//! Unacknowledged writes (`w: 0`) are possible wherever the specification allows them; what it does not allow beside them
//! (a session, a collation, ...) is an error before anything is sent.
//!
//! Options that PyMongo has as fields of the command (`**kwargs`) are setters. A field that has none here can be sent
//! with [`Database::run_command`].

#[cfg(doc)]
use crate::{Client, Collection, Database, Filter, SessionCursor, action::*, error::*, options::*};
