//! The connections of a scripted server.

use std::{
    io,
    sync::{Arc, PoisonError},
};

use bson::Document;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Received, Reply, Shared};
use crate::{
    background,
    tls::{self, Stream},
    wire::{
        compressed::{Compressed, uncompressed},
        message::{MORE_TO_COME, Message, OP_QUERY, op_msg, op_reply, read_frame},
    },
};

/// A request number no client has used.
const WRONG_REQUEST: i32 = 0x7fff_fff0;

pub(super) async fn accept(shared: Arc<Shared>, listener: std::net::TcpListener) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut ended = shared.ended.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                background::spawn(connection(shared.clone(), stream));
            },
            _ = ended.wait_for(|ended| *ended) => return,
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let mut ended = shared.ended.subscribe();
    let mut closings = shared.closings.subscribe();
    let mut number = 0;
    shared.connections.send_modify(|connections| {
        connections.accepted += 1;
        number = connections.accepted;
        connections.open.insert(number);
    });
    tokio::select! {
        _ = welcome(&shared, stream, number) => {}
        _ = ended.wait_for(|ended| *ended) => {}
        _ = closings.changed() => {}
    }
    shared.connections.send_modify(|connections| {
        connections.open.remove(&number);
    });
}

/// What follows a reply.
#[derive(PartialEq)]
enum Next {
    Continue,
    Close,
}

async fn welcome(shared: &Shared, tcp: TcpStream, number: u64) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut stream = match &shared.acceptor {
        None => Stream::Plain(tcp),
        Some(acceptor) => {
            let (stream, handshake) = tls::accept(acceptor, tcp).await?;
            shared.handshakes.send_modify(|all| all.push(handshake));
            stream
        }
    };
    serve(shared, &mut stream, number).await
}

async fn serve(shared: &Shared, stream: &mut Stream, number: u64) -> io::Result<()> {
    let mut sent = 0;
    while let Some(frame) = read_frame(stream).await? {
        let (compressor, frame) = uncompressed(frame)?;
        let message = Message::parse(&frame)?;
        let command = Received {
            connection: number,
            name: message.command_name().to_owned(),
            database: message.body.get_str("$db").unwrap_or_default().to_owned(),
            request_id: message.header.request_id,
            expects_reply: message.flags & MORE_TO_COME == 0,
            compressor,
            body: message.body,
        };
        let reply = shared.script.lock().unwrap_or_else(PoisonError::into_inner).answer(&command);
        let mut answer =
            Answer { stream, command: &command, legacy: message.header.op_code == OP_QUERY, sent: &mut sent };
        shared.received.send_modify(|all| all.push(command.clone()));
        if answer.give(reply).await? == Next::Close {
            return Ok(());
        }
    }
    Ok(())
}

struct Answer<'a> {
    stream: &'a mut Stream,
    command: &'a Received,
    /// Whether the request was an OP_QUERY, which is answered with an OP_REPLY.
    legacy: bool,
    /// The messages sent on this connection so far.
    sent: &'a mut i32,
}

impl Answer<'_> {
    async fn give(&mut self, reply: Reply) -> io::Result<Next> {
        let response_to = self.command.request_id;
        match reply {
            Reply::Delayed(delay, reply) => {
                tokio::time::sleep(delay).await;
                return Box::pin(self.give(*reply)).await;
            }
            Reply::ThenClose(reply) => {
                Box::pin(self.give(*reply)).await?;
                return Ok(Next::Close);
            }
            Reply::Close => return Ok(Next::Close),
            Reply::Reset => {
                self.stream.tcp().set_zero_linger()?;
                return Ok(Next::Close);
            }
            Reply::Never => {}
            // Even a scripted server does not answer those who want no answer.
            _ if !self.command.expects_reply => {}
            Reply::Document(document) => self.send(response_to, 0, &document).await.map(drop)?,
            Reply::WrongResponseTo(document) => self.send(WRONG_REQUEST, 0, &document).await.map(drop)?,
            Reply::Length { document, length } => {
                let mut message = self.encode(response_to, 0, &document)?;
                if length != 0 {
                    message[..4].copy_from_slice(&length.to_le_bytes());
                }
                self.write(&message).await?;
            }
            Reply::Truncated { document, bytes } => {
                let mut message = self.encode(response_to, 0, &document)?;
                message.truncate(bytes);
                self.write(&message).await?;
                return Ok(Next::Close);
            }
            Reply::Compressed { original_op_code, uncompressed_size, compressor, data } => {
                *self.sent = self.sent.wrapping_add(1);
                let content = Compressed { original_op_code, uncompressed_size, compressor, data: &data };
                self.write(&content.encode(*self.sent, response_to)).await?;
            }
            Reply::Raw(bytes) => self.write(&bytes).await?,
            Reply::Stream(documents) => self.stream(&documents).await?,
            Reply::Endless { document, every } => self.repeat(&document, every).await?,
        }
        Ok(Next::Continue)
    }

    async fn stream(&mut self, documents: &[Document]) -> io::Result<()> {
        let mut response_to = self.command.request_id;
        for (index, document) in documents.iter().enumerate() {
            let flags = if index + 1 < documents.len() { MORE_TO_COME } else { 0 };
            response_to = self.send(response_to, flags, document).await?;
        }
        Ok(())
    }

    async fn repeat(&mut self, document: &Document, every: std::time::Duration) -> io::Result<()> {
        let mut response_to = self.command.request_id;
        loop {
            response_to = self.send(response_to, MORE_TO_COME, document).await?;
            // A client that gives up closes the connection; nothing else is expected from it.
            match tokio::time::timeout(every, self.stream.read(&mut [0; 256])).await {
                Ok(Ok(0) | Err(_)) => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(Ok(_)) => tokio::time::sleep(every).await,
                Err(_) => {}
            }
        }
    }

    /// Sends a reply and returns its number.
    async fn send(&mut self, response_to: i32, flags: u32, document: &Document) -> io::Result<i32> {
        let message = self.encode(response_to, flags, document)?;
        self.write(&message).await?;
        Ok(*self.sent)
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    fn encode(&mut self, response_to: i32, flags: u32, document: &Document) -> io::Result<Vec<u8>> {
        *self.sent = self.sent.wrapping_add(1);
        match self.legacy {
            true => op_reply(*self.sent, response_to, document),
            false => op_msg(*self.sent, response_to, flags, document),
        }
    }
}
