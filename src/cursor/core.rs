//! A cursor without the type of its documents: where it lives on the server, and how it comes to its next batch.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bson::Bson;
use bytes::Bytes;
use mongo_actors_engine::{ConnectionInfo, HeldSession, KillCursors, Lease, SessionMark, clock};
use mongo_actors_protocol::{
    address::ServerAddress,
    command::{Batch, Command, CursorReply, CursorType, GetMore, InvalidReply, Namespace},
    options::CodecOptions,
    retry::Budget,
    wire::ReplyBody,
};

use serde::de::DeserializeOwned;

use super::origin::FindOrigin;
use crate::{
    client::Client,
    decode::{decode, readable},
    error::{Error, ErrorKind, Result},
    executor::{Executed, Home, Prepared, Timing},
    session::ClientSession,
    timeout,
};

/// What every `getMore` of a cursor is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) batch_size: Option<u32>,
    pub(crate) limit: Option<i64>,
    /// Sent as `maxTimeMS`: how long the server waits for documents, if the cursor awaits any.
    pub(crate) max_time: Option<Duration>,
    pub(crate) comment: Option<Bson>,
    pub(crate) cursor_type: CursorType,
    /// The time that is left for the whole cursor.
    pub(crate) budget: Budget,
    pub(crate) timing: Timing,
    /// That of the command which opened it.
    pub(crate) operation_id: i64,
    /// The application's session that it lives in.
    pub(crate) session: Option<SessionMark>,
}

impl Terms {
    /// What follows from the operation that opens the cursor.
    pub(crate) fn of(prepared: &Prepared) -> Self {
        let (budget, timing, session) = (prepared.budget, prepared.timing, prepared.session_mark());
        Self { budget, timing, operation_id: prepared.operation.operation_id, session, ..Self::default() }
    }

    /// The time that a step of the cursor has which begins now.
    fn step(&self) -> Budget {
        let own = match self.timing {
            Timing { timeout: Some(timeout), each_step: true } => Budget::beginning_at(clock::now(), Some(timeout)),
            Timing { timeout: None, each_step: true } => Budget::Unset,
            Timing { each_step: false, .. } => self.budget,
        };
        own.within(timeout::current().unwrap_or_default())
    }
}

/// The part of a cursor that does not know what its documents are.
pub(crate) struct Core {
    client: Client,
    codec: CodecOptions,
    /// How to start it, and start it again; none for cursors of other commands than find.
    origin: Option<Box<FindOrigin>>,
    pub(super) terms: Terms,
    state: State,
    namespace: Option<Namespace>,
    server: Option<Arc<ServerAddress>>,
    /// The documents that have arrived and were not handed out.
    batch: Batch,
    current: Option<Bytes>,
    retrieved: u64,
    /// The time of the step under way, which may need several batches.
    step: Option<Budget>,
}

type Fetch = Pin<Box<dyn Future<Output = Fetched> + Send>>;

/// What became of a command, and, if it failed, the connection that the cursor is bound to.
type Fetched = (Result<Executed>, Option<Lease>);

enum State {
    /// Nothing was sent yet.
    Unstarted,
    /// The server has more.
    Open(Place),
    /// A command is on its way: the one that opens the cursor (number 0), or a `getMore`.
    Fetching { fetch: Fetch, id: i64, bound: bool },
    /// A `getMore` has failed. Nothing more is read; the connection that the cursor is bound to is given back when it is
    /// closed.
    Failed { id: i64, lease: Lease },
    /// A `getMore` was not answered, and its connection is closed. Nothing more is read; the server has noticed, and will
    /// probably close the cursor by itself.
    Orphaned { id: i64 },
    /// The server has closed it, or has been asked to.
    Closed,
}

/// A cursor on its server.
struct Place {
    id: i64,
    connection: Arc<ConnectionInfo>,
    session: Option<HeldSession>,
    lease: Option<Lease>,
}

impl Core {
    /// A cursor of which nothing was sent yet.
    pub(super) fn unstarted(client: Client, codec: CodecOptions, origin: FindOrigin, terms: Terms) -> Self {
        Self::new(client, codec, Some(Box::new(origin)), terms, State::Unstarted)
    }

    /// The cursor of a reply. Without a reply it is empty: there was nothing to look at.
    pub(crate) fn opened(client: &Client, codec: &CodecOptions, terms: Terms, executed: Executed) -> Result<Self> {
        let mut core = Self::new(client.clone(), codec.clone(), None, terms, State::Closed);
        core.install(executed)?;
        Ok(core)
    }

    /// The same for a reply that has more to tell than its cursor, and keeps its body.
    pub(crate) fn opened_by(
        client: &Client,
        codec: &CodecOptions,
        terms: Terms,
        executed: &mut Executed,
    ) -> Result<Self> {
        let mut core = Self::new(client.clone(), codec.clone(), None, terms, State::Closed);
        if let (Some(body), Some(home)) = (executed.body.clone(), executed.home.take()) {
            core.settle(&body, home)?;
        }
        Ok(core)
    }

    /// The next document, for which a batch is fetched if need be.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(document) = self.next_document() {
                return document.map(Some);
            }
            if !poll_fn(|cx| self.poll_batch(cx, true)).await? {
                return Ok(None);
            }
        }
    }

    fn new(client: Client, codec: CodecOptions, origin: Option<Box<FindOrigin>>, terms: Terms, state: State) -> Self {
        let (batch, current) = (Batch::empty(), None);
        Self {
            client,
            codec,
            origin,
            terms,
            state,
            namespace: None,
            server: None,
            batch,
            current,
            retrieved: 0,
            step: None,
        }
    }

    /// Whether the cursor lives in this session, which has not ended.
    pub(super) fn check_session(&self, session: &ClientSession) -> Result<()> {
        session.check_usable_by(&self.client)?;
        match self.terms.session.as_ref().is_some_and(|own| own.is_of(session.shared())) {
            true => Ok(()),
            false => Err(Error::invalid_argument("session", "the cursor was opened in another session: pass that one")),
        }
    }

    pub(super) fn codec(&self) -> &CodecOptions {
        &self.codec
    }

    pub(super) fn origin(&self) -> Option<&FindOrigin> {
        self.origin.as_deref()
    }

    pub(super) fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref().or_else(|| self.origin().map(FindOrigin::namespace))
    }

    pub(super) fn server(&self) -> Option<&ServerAddress> {
        self.server.as_deref()
    }

    pub(super) fn retrieved(&self) -> u64 {
        self.retrieved
    }

    pub(super) fn id(&self) -> Option<i64> {
        match &self.state {
            State::Unstarted | State::Fetching { id: 0, .. } => None,
            State::Open(Place { id, .. }) | State::Fetching { id, .. } => Some(*id),
            State::Failed { id, .. } | State::Orphaned { id } => Some(*id),
            State::Closed => Some(0),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.batch.is_empty() || !matches!(self.state, State::Closed | State::Failed { .. } | State::Orphaned { .. })
    }

    pub(super) fn current(&self) -> Option<&Bytes> {
        self.current.as_ref()
    }

    /// The next document that has arrived already.
    pub(super) fn next_document(&mut self) -> Option<Result<Bytes>> {
        let document = self.batch.next_bytes()?;
        self.retrieved += 1;
        Some(document.map_err(Error::from))
    }

    /// The next document that has arrived, as the application wants it.
    pub(super) fn decode_next<T: DeserializeOwned>(&mut self) -> Option<Result<T>> {
        let document = self.next_document()?;
        Some(document.and_then(|document| decode(&document, &self.codec)))
    }

    /// The next document that has arrived becomes the current one.
    pub(super) fn step(&mut self) -> Result<bool> {
        let document = self.next_document().transpose()?;
        self.current = document.map(|document| readable(document, &self.codec)).transpose()?;
        Ok(self.current.is_some())
    }

    /// All documents that have arrived and were not handed out.
    pub(super) fn take_batch(&mut self) -> Batch {
        let batch = std::mem::replace(&mut self.batch, Batch::empty());
        self.retrieved += batch.remaining() as u64;
        batch
    }

    pub(super) fn has_next(&self) -> bool {
        !self.batch.is_empty()
    }

    /// Ready with true once documents have arrived, with false when there will be none. With `patient` false also with
    /// false when a batch has arrived that is empty. A tailable cursor that does not await data is never patient: asking
    /// again at once would bring as little.
    pub(super) fn poll_batch(&mut self, cx: &mut Context<'_>, patient: bool) -> Poll<Result<bool>> {
        let polled = self.poll_fetch(cx, patient);
        if polled.is_ready() {
            self.step = None;
        }
        polled
    }

    fn poll_fetch(&mut self, cx: &mut Context<'_>, patient: bool) -> Poll<Result<bool>> {
        let patient = patient && self.terms.cursor_type != CursorType::Tailable;
        loop {
            if let State::Fetching { fetch, .. } = &mut self.state {
                let fetched = ready!(fetch.as_mut().poll(cx));
                let arrived = self.arrive(fetched)?;
                if arrived || !patient {
                    return Poll::Ready(Ok(arrived));
                }
            }
            if !self.batch.is_empty() {
                return Poll::Ready(Ok(true));
            }
            match std::mem::replace(&mut self.state, State::Closed) {
                State::Closed => return Poll::Ready(Ok(false)),
                failed @ (State::Failed { .. } | State::Orphaned { .. }) => {
                    self.state = failed;
                    return Poll::Ready(Ok(false));
                }
                State::Open(place) if self.is_at_limit() => {
                    self.owe(place.id, place.session, place.lease);
                    return Poll::Ready(Ok(false));
                }
                State::Open(place) => self.fetch_more(place)?,
                State::Unstarted => self.fetch_first()?,
                fetching @ State::Fetching { .. } => self.state = fetching,
            }
        }
    }

    /// Sends the command that opens the cursor, unless that was done.
    pub(super) async fn start(&mut self) -> Result<()> {
        if matches!(self.state, State::Unstarted) {
            let prepared = self.prepare_first()?;
            let fetched = self.client.execute(prepared).await;
            self.arrive((fetched, None))?;
        }
        Ok(())
    }

    fn prepare_first(&mut self) -> Result<Prepared> {
        let Some(origin) = &self.origin else {
            return Err(Error::invalid_operation("only the cursor of a find can be started"));
        };
        let prepared = origin.prepare(None)?;
        let Terms { budget, timing, operation_id, session, .. } = Terms::of(&prepared);
        self.terms = Terms { budget, timing, operation_id, session, ..std::mem::take(&mut self.terms) };
        Ok(prepared)
    }

    fn fetch_first(&mut self) -> Result<()> {
        let prepared = self.prepare_first()?;
        let client = self.client.clone();
        let fetch = Box::pin(async move { (client.execute(prepared).await, None) });
        self.state = State::Fetching { fetch, id: 0, bound: false };
        Ok(())
    }

    fn fetch_more(&mut self, place: Place) -> Result<()> {
        let Place { id, connection, session, lease } = place;
        let prepared = match self.prepare_more(id, &connection) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.owe(id, session, lease);
                return Err(error);
            }
        };
        let (client, bound) = (self.client.clone(), lease.is_some());
        let fetch = async move {
            let mut pin = lease;
            let fetched = client.execute_in(prepared, session, &mut pin).await;
            (fetched, pin)
        };
        self.state = State::Fetching { fetch: Box::pin(fetch), id, bound };
        Ok(())
    }

    fn prepare_more(&mut self, cursor_id: i64, connection: &ConnectionInfo) -> Result<Prepared> {
        let terms = &self.terms;
        let budget = *self.step.get_or_insert_with(|| terms.step());
        let (Some(namespace), Some(server)) = (&self.namespace, &self.server) else {
            return Err(Error::invalid_operation("the cursor was not opened"));
        };
        let comment = terms.comment.as_ref().filter(|_| connection.max_wire_version >= GetMore::COMMENT_WIRE_VERSION);
        let command = GetMore {
            cursor_id,
            namespace,
            batch_size: GetMore::batch_size(terms.limit, self.retrieved, terms.batch_size),
            max_time: terms.max_time,
            comment,
            exhaust: terms.cursor_type == CursorType::Exhaust,
        };
        let (request, properties) = (command.request()?, command.properties());
        let session = match &terms.session {
            None => None,
            Some(mark) => Some(mark.session().filter(|session| !session.has_ended()).ok_or_else(|| {
                Error::invalid_operation("the session that the cursor lives in has ended: open another cursor")
            })?),
        };
        Ok(Prepared::for_cursor(request, properties, server, budget, terms.operation_id, session))
    }

    fn arrive(&mut self, (fetched, pin): Fetched) -> Result<bool> {
        let (id, bound) = match std::mem::replace(&mut self.state, State::Closed) {
            State::Fetching { id, bound, .. } => (id, bound),
            _ => (0, false),
        };
        match fetched.and_then(|executed| self.install(executed)) {
            Ok(()) => Ok(!self.batch.is_empty()),
            Err(error) if self.is_tailable() && matches!(error.kind(), ErrorKind::CursorNotFound(_)) => Ok(false),
            Err(error) => {
                if id != 0 && !matches!(error.kind(), ErrorKind::CursorNotFound(_)) {
                    self.fail(&error, id, bound, pin);
                }
                Err(error)
            }
        }
    }

    /// A command has failed, and the server may still have the cursor. One that is bound to a connection keeps it until it
    /// is closed, as behind load balancers it is specified.
    fn fail(&mut self, error: &Error, id: i64, bound: bool, pin: Option<Lease>) {
        match pin {
            Some(lease) if lease.is_usable() || lease.info().service_id.is_some() => {
                self.state = State::Failed { id, lease };
            }
            _ if !bound && was_cut_off(error) => self.state = State::Orphaned { id },
            _ if !bound => self.owe(id, None, None),
            // With the connection the cursor has ended, or whoever has the connection ends it.
            _ => {}
        }
    }

    fn install(&mut self, mut executed: Executed) -> Result<()> {
        let (Some(body), Some(home)) = (executed.body.take(), executed.home.take()) else { return Ok(()) };
        self.settle(&body, home).map_err(|error| {
            executed.body = Some(body);
            executed.explain(error.into())
        })
    }

    /// Takes the cursor of a reply.
    fn settle(&mut self, body: &ReplyBody, home: Home) -> std::result::Result<(), InvalidReply> {
        let cursor = CursorReply::read(body.as_document())?;
        let namespace = if cursor.id == 0 { None } else { Some(cursor.namespace()?) };
        let (id, batch) = (cursor.id, cursor.documents(body)?);
        self.server = Some(home.server);
        self.batch = batch;
        if let Some(namespace) = namespace {
            self.namespace = Some(namespace);
            let (connection, session, lease) = (home.connection, home.session, home.lease);
            self.state = State::Open(Place { id, connection, session, lease });
        }
        Ok(())
    }

    fn is_tailable(&self) -> bool {
        matches!(self.terms.cursor_type, CursorType::Tailable | CursorType::TailableAwait)
    }

    fn is_at_limit(&self) -> bool {
        let limit = self.terms.limit.map_or(0, i64::unsigned_abs);
        limit != 0 && self.retrieved >= limit
    }

    /// Leaves it to the reaper to close the cursor on its server.
    fn owe(&self, id: i64, session: Option<HeldSession>, lease: Option<Lease>) {
        if let Some(debt) = self.debt(id) {
            self.client.engine().owe(KillCursors { session, lease, ..debt });
        }
    }

    fn debt(&self, id: i64) -> Option<KillCursors> {
        let debt = KillCursors::new(self.server.clone()?, self.namespace.as_ref()?, id);
        Some(KillCursors { timeout: self.terms.timing.timeout, ..debt })
    }

    /// Closes the cursor on its server and waits for that, for `within`, or else for as long as the operation that opened
    /// it had.
    pub(super) async fn close(&mut self, within: Option<Duration>) {
        self.batch = Batch::empty();
        let state = std::mem::replace(&mut self.state, State::Closed);
        if !self.is_within_reach() {
            return self.give_up(state);
        }
        match state {
            State::Open(Place { id, session, lease, .. }) => self.kill(id, session, lease, within).await,
            State::Failed { id, lease } => self.kill(id, None, Some(lease), within).await,
            State::Orphaned { id } => self.kill(id, None, None, within).await,
            fetching @ State::Fetching { .. } => self.give_up(fetching),
            State::Unstarted | State::Closed => {}
        }
    }

    /// Whether the cursor's server can be told anything now. One that cannot has probably gone with the cursor, and is not
    /// waited for.
    fn is_within_reach(&self) -> bool {
        let description = self.client.topology_description();
        self.server.as_ref().and_then(|server| description.server(server)).is_some_and(|server| server.is_known())
    }

    /// Has the server close the cursor. Where that takes the connection which the cursor is bound to, and that cannot be
    /// used any more, giving it up does it.
    async fn kill(&mut self, id: i64, session: Option<HeldSession>, lease: Option<Lease>, within: Option<Duration>) {
        let bound = lease.is_some();
        if lease.as_ref().is_some_and(|lease| !lease.is_usable()) {
            return;
        }
        let mut pin = lease;
        let killed = match self.prepare_kill(id, within) {
            Ok(prepared) => self.client.execute_in(prepared, session, &mut pin).await.map(drop),
            Err(error) => Err(error),
        };
        // A bound cursor has ended with its connection, unless that still stands.
        if killed.is_err() && (!bound || pin.is_some()) {
            self.owe(id, None, pin);
        }
    }

    /// Leaves everything to the driver.
    fn give_up(&self, state: State) {
        match state {
            State::Open(Place { id, session, lease, .. }) => self.owe(id, session, lease),
            State::Failed { id, lease } => self.owe(id, None, Some(lease)),
            State::Orphaned { id } => {
                if let Some(debt) = self.debt(id) {
                    self.client.engine().owe(KillCursors { orphaned: true, ..debt });
                }
            }
            State::Fetching { fetch, id, bound } => {
                // First the command on its way is given up, so that its session is free again. If it has the connection
                // that the cursor is bound to, whoever gets that next has the cursor closed.
                drop(fetch);
                if id != 0 && !bound {
                    self.owe(id, None, None);
                }
            }
            State::Unstarted | State::Closed => {}
        }
    }

    fn prepare_kill(&self, id: i64, within: Option<Duration>) -> Result<Prepared> {
        let (Some(namespace), Some(server)) = (&self.namespace, &self.server) else {
            return Err(Error::invalid_operation("the cursor was not opened"));
        };
        let kill = mongo_actors_protocol::command::KillCursors { namespace, cursors: &[id] };
        let (request, properties) = (kill.request()?, kill.properties());
        let session = self.terms.session.as_ref().and_then(SessionMark::session);
        let limit = within.or(self.terms.timing.timeout).map(|limit| Budget::beginning_at(clock::now(), Some(limit)));
        let budget = limit.or(timeout::current()).unwrap_or_default();
        Ok(Prepared::for_cursor(request, properties, server, budget, self.terms.operation_id, session))
    }

    /// Back to the beginning: nothing was sent yet.
    pub(super) async fn rewind(&mut self) -> Result<()> {
        if self.origin.is_none() {
            return Err(Error::invalid_operation("only the cursor of a find can be rewound"));
        }
        self.close(None).await;
        self.state = State::Unstarted;
        (self.namespace, self.server, self.current, self.retrieved) = (None, None, None, 0);
        Ok(())
    }
}

/// Whether the command was sent and not answered. Its connection is closed then.
fn was_cut_off(error: &Error) -> bool {
    let was_sent = error.attempts().last().is_some_and(|attempt| attempt.stage().may_be_sent());
    was_sent && error.server_response().is_none()
}

impl Drop for Core {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.give_up(state);
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("namespace", &self.namespace())
            .field("id", &self.id())
            .field("server", &self.server)
            .field("retrieved", &self.retrieved)
            .finish_non_exhaustive()
    }
}
