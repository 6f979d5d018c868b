//! A tour of the driver: typed documents in and out, and a look at what the client is made of.

use std::{
    collections::BTreeMap,
    error::Error,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mongo_actors::{
    Client, Collection,
    bson::{doc, oid::ObjectId},
    event::{CommandFailedEvent, CommandListener, CommandSucceededEvent},
    supervision::ActorEntry,
    topology::TopologyDescription,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Book {
    title: String,
    author: String,
    year: i32,
    copies: i32,
}

#[derive(Debug, Deserialize)]
struct Shelf {
    #[serde(rename = "_id")]
    author: String,
    titles: i32,
    copies: i32,
}

/// Shows everything on the deployment at `uri`, and leaves nothing there. `patience` is how long a server is looked for.
pub(crate) async fn run(uri: &str, patience: Duration, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let counts = Arc::new(CommandCounts::default());
    let client = Client::builder()
        .uri(uri)
        .app_name("quickstart")
        .server_selection_timeout(patience)
        .command_listener(counts.clone())
        .build()?;
    let shown = show(&client, &counts, out).await;
    client.close().await;
    writeln!(out, "\nClosed.")?;
    shown
}

async fn show(client: &Client, counts: &CommandCounts, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    client.warm_up().await?;
    writeln!(out, "Connected to MongoDB {}.\n", client.build_info().await?.version)?;

    // A collection of its own, so that nothing of yours is touched.
    let name = format!("books_{}", ObjectId::new());
    let books = client.database("quickstart").collection::<Book>(&name);
    let used = use_collection(&books, out).await;
    books.drop().await?;
    used?;

    // Listeners are called on a thread of their own; this waits until they have heard everything.
    client.flush_events().await;
    show_topology(&client.topology_description(), out)?;
    show_actors(&client.actors(), out)?;
    writeln!(out, "\nCommands\n  {}", counts.summary())?;
    Ok(())
}

async fn use_collection(books: &Collection<Book>, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let inserted = books.insert_many(stock()).await?;
    writeln!(out, "Inserted    {} books", inserted.inserted_ids.len())?;

    let mut old = books.find(doc! { "year": { "$lt": 1900 } }).sort(doc! { "year": 1 }).await?;
    while let Some(Book { title, author, year, .. }) = old.try_next().await? {
        writeln!(out, "Found       {title} by {author} ({year})")?;
    }

    let filter = doc! { "author": "Ursula K. Le Guin" };
    let updated = books.update_many(filter, doc! { "$inc": { "copies": 10 } }).await?;
    writeln!(out, "Updated     {} books", updated.modified_count)?;

    let pipeline = [
        doc! { "$group": { "_id": "$author", "titles": { "$sum": 1 }, "copies": { "$sum": "$copies" } } },
        doc! { "$sort": { "copies": -1, "_id": 1 } },
    ];
    let mut shelves = books.aggregate(pipeline).with_type::<Shelf>().await?;
    while let Some(Shelf { author, titles, copies }) = shelves.try_next().await? {
        writeln!(out, "Aggregated  {author}: {copies} copies of {titles} titles")?;
    }

    let deleted = books.delete_one(doc! { "title": "Frankenstein" }).await?;
    writeln!(out, "Deleted     {} book", deleted.deleted_count)?;
    Ok(())
}

fn stock() -> Vec<Book> {
    let book = |title: &str, author: &str, year| Book { title: title.into(), author: author.into(), year, copies: 2 };
    vec![
        book("Frankenstein", "Mary Shelley", 1818),
        book("The Last Man", "Mary Shelley", 1826),
        book("The Dispossessed", "Ursula K. Le Guin", 1974),
        book("The Left Hand of Darkness", "Ursula K. Le Guin", 1969),
        book("The Time Machine", "H. G. Wells", 1895),
    ]
}

fn show_topology(topology: &TopologyDescription, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(out, "\nTopology\n  {} {}", topology.topology_type, topology.set_name.as_deref().unwrap_or_default())?;
    for server in topology.servers.values() {
        let time = server.round_trip_time.unwrap_or_default();
        writeln!(out, "  {} {}, round trip {time:.1?}", server.address, server.server_type)?;
    }
    Ok(())
}

/// The supervision tree, each actor below its parent.
fn show_actors(actors: &[ActorEntry], out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(out, "\nActors")?;
    let paths: Vec<_> = actors.iter().map(|actor| actor.path.to_string()).collect();
    for (actor, path) in actors.iter().zip(&paths) {
        // The name of an actor may contain a slash, that of a Unix socket for instance.
        let ancestors =
            paths.iter().filter(|other| path.strip_prefix(*other).is_some_and(|rest| rest.starts_with('/')));
        let depth = ancestors.clone().count();
        let parent = ancestors.map(String::len).max();
        let name = &path[parent.map_or(0, |length| length + 1)..];
        let restarts = if actor.restarts == 0 { "" } else { " (was restarted)" };
        writeln!(out, "  {:indent$}{name}{restarts}", "", indent = 2 * depth)?;
    }
    Ok(())
}

/// Counts what the driver sends.
#[derive(Default)]
struct CommandCounts(Mutex<BTreeMap<String, usize>>);

impl CommandCounts {
    fn count(&self, name: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default() += 1;
    }

    fn summary(&self) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    }
}

impl CommandListener for CommandCounts {
    fn command_succeeded(&self, event: &CommandSucceededEvent) {
        self.count(&event.command_name);
    }

    fn command_failed(&self, event: &CommandFailedEvent) {
        self.count(&format!("failed {}", event.command_name));
    }
}
