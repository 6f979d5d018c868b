//! No driver at all: the same commands over sockets, on the arbiter of their callers.
//!
//! Nothing is watched, selected, retried or counted here: what this costs is what the server and the kernel cost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, ensure};
use mongo_actors::{
    bson::{
        Binary, RawDocument, RawDocumentBuf, deserialize_from_slice, oid::ObjectId, rawdoc,
        serialize_to_raw_document_buf, spec::BinarySubtype,
    },
    options::ClientOptions,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Driver;
use crate::workload::{DATABASE, INSERTS, ORDERS, Order, OrderId};

const OP_MSG: i32 = 2013;
/// Of a message: length, request, response to, operation; flags; the kind of its one section.
const PREFIX: usize = 16 + 4 + 1;

#[derive(Clone)]
struct Bare {
    address: Arc<str>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// A socket with a server session of its own, as operations of drivers have one.
struct Connection {
    socket: TcpStream,
    session: RawDocumentBuf,
    transactions: i64,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

pub(super) async fn connect(uri: &str) -> anyhow::Result<impl Driver> {
    let options = ClientOptions::parse(uri)?;
    ensure!(options.credential.is_none(), "bare sockets do not log in");
    let address = options.hosts.first().context("a connection string without a host")?.to_string();
    Ok(Bare { address: address.into(), idle: Arc::default() })
}

impl Bare {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connection(&self) -> anyhow::Result<Connection> {
        let idle = self.idle().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => Connection::open(&self.address).await,
        }
    }
}

impl Connection {
    async fn open(address: &str) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let id = [ObjectId::new().bytes(), ObjectId::new().bytes()].concat();
        let session = Binary { subtype: BinarySubtype::Uuid, bytes: id[..16].to_vec() };
        Ok(Self {
            socket,
            session: rawdoc! { "id": session },
            transactions: 0,
            outgoing: Vec::new(),
            incoming: Vec::new(),
        })
    }

    /// One round trip. The reply says `ok`.
    async fn run(&mut self, command: &RawDocument) -> anyhow::Result<&RawDocument> {
        let length = i32::try_from(PREFIX + command.as_bytes().len())?;
        self.outgoing.clear();
        for word in [length, 1, 0, OP_MSG, 0] {
            self.outgoing.extend_from_slice(&word.to_le_bytes());
        }
        self.outgoing.push(0);
        self.outgoing.extend_from_slice(command.as_bytes());
        self.socket.write_all(&self.outgoing).await?;
        self.incoming.clear();
        while self.incoming.len() < self.expected()? {
            ensure!(self.socket.read_buf(&mut self.incoming).await? > 0, "the server closed the connection");
        }
        let reply = RawDocument::from_bytes(&self.incoming[PREFIX..])?;
        ensure!(reply.get_f64("ok")? == 1.0, "the server refused: {reply:?}");
        Ok(reply)
    }

    /// How long the message is that is coming in, as far as that is known.
    fn expected(&self) -> anyhow::Result<usize> {
        match self.incoming.first_chunk() {
            Some(length) => Ok(usize::try_from(i32::from_le_bytes(*length))?),
            None => Ok(PREFIX),
        }
    }
}

impl Driver for Bare {
    async fn empty_inserts(&self) -> anyhow::Result<()> {
        let mut connection = self.connection().await?;
        connection.run(&rawdoc! { "delete": INSERTS, "$db": DATABASE, "deletes": [{ "q": {}, "limit": 0 }] }).await?;
        self.idle().push(connection);
        Ok(())
    }

    async fn find_one(&self, number: i64) -> anyhow::Result<Option<Order>> {
        let mut connection = self.connection().await?;
        let command = rawdoc! {
            "find": ORDERS, "filter": { "_id": number }, "limit": 1_i64, "singleBatch": true,
            "lsid": connection.session.clone(), "$db": DATABASE,
        };
        let reply = connection.run(&command).await?;
        let batch = reply.get_document("cursor")?.get_array("firstBatch")?;
        let order = batch.get_document(0).map(|order| deserialize_from_slice(order.as_bytes()));
        let order = order.ok().transpose()?;
        self.idle().push(connection);
        Ok(order)
    }

    async fn insert_one(&self, order: &Order) -> anyhow::Result<()> {
        let mut connection = self.connection().await?;
        let mut order = order.clone();
        order.id = Some(OrderId::Generated(ObjectId::new()));
        connection.transactions += 1;
        let command = rawdoc! {
            "insert": INSERTS, "documents": [serialize_to_raw_document_buf(&order)?],
            "lsid": connection.session.clone(), "txnNumber": connection.transactions, "$db": DATABASE,
        };
        let reply = connection.run(&command).await?;
        ensure!(reply.get_i32("n")? == 1, "nothing was inserted: {reply:?}");
        self.idle().push(connection);
        Ok(())
    }

    async fn close(self) {}
}
