//! What the examples do, when all goes well and when it does not.

#[path = "../../examples/shared/deployment.rs"]
mod deployment;
#[path = "../../examples/rest_service/service/mod.rs"]
mod service;
#[path = "../../examples/supervision_tree/shop.rs"]
mod shop;
#[path = "../../examples/quickstart/tour.rs"]
mod tour;
#[path = "../../examples/application_actor/warehouse.rs"]
mod warehouse;

use std::time::{Duration, Instant};

use deployment::Deployment;
use mongo_actors::Client;
use mongo_actors_testkit::Standalone;

mod quickstart {
    use mongo_actors_testkit::{ReplicaSet, ServerTls, TlsAuthority};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_tour_shows_what_happened_and_leaves_nothing_behind() {
        // A variable that is set to nothing names no server.
        let deployment = Deployment::provide(Some(String::new())).await.unwrap();
        let mut out = Vec::new();
        tour::run(&deployment.uri(), PATIENCE, &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        for expected in [
            "Inserted    5 books",
            "Found       Frankenstein by Mary Shelley (1818)",
            "Updated     2 books",
            "Aggregated  Ursula K. Le Guin: 24 copies of 2 titles",
            "Deleted     1 book",
            "ReplicaSetWithPrimary rs",
            "RSPrimary, round trip",
            "\n  supervisor\n    reaper\n",
            "\n        connection[",
            "aggregate 1, buildInfo 1, delete 1, drop 1, find 1, insert 1, update 1",
        ] {
            assert!(out.contains(expected), "{expected:?} is not in\n{out}");
        }
        assert!(out.ends_with("\nClosed.\n"), "{out}");

        let client = Client::with_uri_str(deployment.uri()).await.unwrap();
        assert!(!client.list_database_names().await.unwrap().contains(&"quickstart".to_owned()));
        client.close().await;
    }

    /// TLS, a client certificate and SCRAM-SHA-256: the connection string says it all.
    #[tokio::test]
    async fn a_well_guarded_deployment_takes_a_connection_string_and_nothing_else() {
        let authority = TlsAuthority::new().unwrap();
        let tls = ServerTls::new(&authority).unwrap().require_client_certificates();
        let set = ReplicaSet::builder(3).auth("alice", "pa:ss/w@rd").tls(tls).start().await.unwrap();
        let uri = set.uri_with(&[("authMechanism", "SCRAM-SHA-256")]);
        let mut out = Vec::new();
        tour::run(&uri, PATIENCE, &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        for expected in ["Inserted    5 books", "ReplicaSetWithPrimary rs", "RSPrimary", "RSSecondary", "\nClosed.\n"] {
            assert!(out.contains(expected), "{expected:?} is not in\n{out}");
        }
        assert!(!out.contains("pa:ss") && !out.contains("pa%3Ass"), "{out}");

        // Whatever is taken away from it, nobody gets in.
        let without = |option: &str| {
            let (before, query) = uri.split_once('?').unwrap();
            let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with(&format!("{option}="))).collect();
            assert!(kept.len() < query.split('&').count(), "{option} is not in {uri}");
            format!("{before}?{}", kept.join("&"))
        };
        let somebody = format!("mongodb://{}", uri.split_once('@').unwrap().1);
        let patience = Duration::from_secs(2);
        for uri in [
            without("tlsCertificateKeyFile"),
            without("tlsCAFile"),
            somebody.replace("&authMechanism=SCRAM-SHA-256", ""),
        ] {
            tour::run(&uri, patience, &mut Vec::new()).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named() {
        let deployment = Deployment::provide(Some("mongodb://localhost:1/".into())).await.unwrap();
        let started = Instant::now();
        let error = tour::run(&deployment.uri(), Duration::from_millis(300), &mut Vec::new()).await.unwrap_err();
        assert!(started.elapsed() < PATIENCE);
        let error = error.to_string();
        assert!(error.contains("localhost:1") && error.contains("check the addresses"), "{error}");
    }

    #[tokio::test]
    async fn a_connection_string_that_is_none_is_explained() {
        let error = tour::run("localhost:27017", PATIENCE, &mut Vec::new()).await.unwrap_err().to_string();
        assert!(error.contains("mongodb://"), "{error}");
    }
}

mod rest_service {
    use std::net::TcpListener;

    use actix_web::http::{Method, StatusCode};
    use mongo_actors_testkit::FailPoint;
    use serde_json::{Value, json};
    use tokio::{sync::oneshot, task::JoinHandle};

    use super::*;

    /// The service on a port of its own.
    struct Service {
        url: String,
        client: Client,
        end: oneshot::Sender<()>,
        ended: JoinHandle<std::io::Result<()>>,
    }

    impl Service {
        async fn start(uri: &str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let client = service::client(uri).unwrap();
            let (end, asked) = oneshot::channel();
            let asked = async { drop(asked.await) };
            let server = service::start(listener, client.clone(), asked).await.unwrap();
            Self { url, client, end, ended: actix_rt::spawn(server) }
        }

        /// Sends a request; answers with the status and the body, which is null when it is empty.
        async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
            ask(format!("{}{path}", self.url), method, body).await
        }

        async fn end(self) {
            self.end.send(()).unwrap();
            self.ended.await.unwrap().unwrap();
            self.client.shutdown_within(service::SHUTDOWN_LIMIT).await;
        }
    }

    async fn ask(url: String, method: Method, body: Option<Value>) -> (StatusCode, Value) {
        let client = awc::Client::builder().timeout(Duration::from_secs(20)).finish();
        let request = client.request(method, url);
        let sent = match &body {
            Some(body) => request.send_json(body),
            None => request.send(),
        };
        let mut response = sent.await.unwrap();
        let body = response.body().await.unwrap();
        (response.status(), serde_json::from_slice(&body).unwrap_or_default())
    }

    fn book(isbn: &str) -> Value {
        json!({ "isbn": isbn, "title": "The Dispossessed", "copies": 3 })
    }

    const ISBN: &str = "9780061054884";

    #[actix_rt::test]
    async fn books_are_created_read_listed_updated_and_deleted() {
        let server = Standalone::start().await.unwrap();
        let service = Service::start(&server.uri()).await;
        let path = format!("/books/{ISBN}");
        assert_eq!(service.ask(Method::POST, "/books", Some(book(ISBN))).await, (StatusCode::CREATED, book(ISBN)));
        assert_eq!(service.ask(Method::GET, &path, None).await, (StatusCode::OK, book(ISBN)));

        let other = "9780441478125";
        service.ask(Method::POST, "/books", Some(book(other))).await;
        let all = json!([book(ISBN), book(other)]);
        assert_eq!(service.ask(Method::GET, "/books", None).await, (StatusCode::OK, all));
        let second = service.ask(Method::GET, &format!("/books?after={ISBN}&limit=1"), None).await;
        assert_eq!(second, (StatusCode::OK, json!([book(other)])));

        let change = json!({ "title": "The Dispossessed", "copies": 0 });
        let (status, updated) = service.ask(Method::PUT, &path, Some(change.clone())).await;
        assert_eq!((status, &updated["copies"], &updated["isbn"]), (StatusCode::OK, &json!(0), &json!(ISBN)));
        assert_eq!(service.ask(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
        for (method, body) in [(Method::GET, None), (Method::PUT, Some(change)), (Method::DELETE, None)] {
            assert_eq!(service.ask(method.clone(), &path, body).await.0, StatusCode::NOT_FOUND, "{method}");
        }

        let (status, health) = service.ask(Method::GET, "/health", None).await;
        assert_eq!((status, &health["writable"]), (StatusCode::OK, &json!(true)));
        service.end().await;
    }

    #[actix_rt::test]
    async fn bad_requests_and_duplicates_are_refused() {
        let server = Standalone::start().await.unwrap();
        let service = Service::start(&server.uri()).await;
        let untitled = json!({ "isbn": ISBN, "title": " ", "copies": 3 });
        let negative = json!({ "isbn": ISBN, "title": "x", "copies": -1 });
        for (body, fault) in [(book("12"), "isbn"), (untitled, "title"), (negative, "-1"), (json!({}), "missing field")]
        {
            let (status, answer) = service.ask(Method::POST, "/books", Some(body)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
            assert!(answer["error"].as_str().unwrap().contains(fault), "{answer}");
        }
        for page in ["limit=0", "limit=x"] {
            let (status, answer) = service.ask(Method::GET, &format!("/books?{page}"), None).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        }

        service.ask(Method::POST, "/books", Some(book(ISBN))).await;
        let (status, answer) = service.ask(Method::POST, "/books", Some(book(ISBN))).await;
        assert_eq!((status, &answer["done"]), (StatusCode::CONFLICT, &json!("no")), "{answer}");
        service.end().await;
    }

    #[actix_rt::test]
    async fn without_its_database_the_service_is_unavailable_until_that_is_back() {
        let server = Standalone::start().await.unwrap();
        let service = Service::start(&server.uri()).await;
        server.member().kill().await.unwrap();
        assert_eq!(service.ask(Method::GET, "/books", None).await.0, StatusCode::SERVICE_UNAVAILABLE);
        // By now it is known that the server is gone, so that nothing is sent.
        let (status, answer) = service.ask(Method::POST, "/books", Some(book(ISBN))).await;
        assert_eq!((status, &answer["done"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no")), "{answer}");
        let (status, health) = service.ask(Method::GET, "/health", None).await;
        assert_eq!((status, &health["writable"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(false)), "{health}");

        server.member().start().await.unwrap();
        assert_eq!(service.ask(Method::POST, "/books", Some(book(ISBN))).await.0, StatusCode::CREATED);
        service.end().await;
    }

    #[actix_rt::test]
    async fn a_request_that_has_begun_is_answered_before_the_service_ends() {
        let server = Standalone::start().await.unwrap();
        let service = Service::start(&server.uri()).await;
        service.ask(Method::POST, "/books", Some(book(ISBN))).await;
        let slow = FailPoint::fail_command(["find"]).times(1).block(Duration::from_millis(800));
        let guard = server.member().enable(slow).await.unwrap();
        let request = actix_rt::spawn(ask(format!("{}/books/{ISBN}", service.url), Method::GET, None));
        guard.wait_for_hits(1, Duration::from_secs(10)).await.unwrap();
        service.end().await;
        assert_eq!(request.await.unwrap(), (StatusCode::OK, book(ISBN)));
    }
}

mod application_actor {
    use actix::{Actor, Addr, Context, Handler};
    use futures_util::future::join_all;
    use tokio::sync::mpsc;

    use super::{
        warehouse::{Deliver, GetStatistics, Inventory, Level, Refusal, Statistics, Take, TakeStock, Warehouse},
        *,
    };

    /// Passes on what it is sent.
    struct Clerk(mpsc::UnboundedSender<Inventory>);

    impl Actor for Clerk {
        type Context = Context<Self>;
    }

    impl Handler<Inventory> for Clerk {
        type Result = ();

        fn handle(&mut self, inventory: Inventory, _: &mut Self::Context) {
            self.0.send(inventory).unwrap();
        }
    }

    fn take(warehouse: &Addr<Warehouse>, quantity: u32) -> actix::dev::Request<Warehouse, Take> {
        warehouse.send(Take { item: "lamp".into(), quantity })
    }

    /// The statistics once this many operations in the background have ended.
    async fn statistics(warehouse: &Addr<Warehouse>, background: u64) -> Statistics {
        loop {
            let statistics = warehouse.send(GetStatistics).await.unwrap();
            if statistics.recorded + statistics.failures >= background {
                return statistics;
            }
            actix_rt::task::yield_now().await;
        }
    }

    #[actix_rt::test]
    async fn the_last_pieces_are_taken_once_however_many_want_them() {
        let server = Standalone::start().await.unwrap();
        let client = Client::with_uri_str(server.uri()).await.unwrap();
        let warehouse = Warehouse::new(&client.database("warehouse")).start();
        let level = warehouse.send(Deliver { item: "lamp".into(), quantity: 5 }).await.unwrap().unwrap();
        assert_eq!(level, 5);

        let taken = join_all((0..20).map(|_| take(&warehouse, 1))).await;
        let taken: Vec<_> = taken.into_iter().map(Result::unwrap).collect();
        let mut left: Vec<_> = taken.iter().filter_map(|taken| taken.as_ref().ok()).copied().collect();
        left.sort_unstable();
        assert_eq!(left, [0, 1, 2, 3, 4]);
        assert_eq!(taken.iter().filter(|taken| matches!(taken, Err(Refusal::OutOfStock))).count(), 15);

        let (sender, mut inventories) = mpsc::unbounded_channel();
        warehouse.do_send(TakeStock { to: Clerk(sender).start().recipient() });
        let found = inventories.recv().await.unwrap().0.unwrap();
        assert_eq!(found, [Level { item: "lamp".into(), quantity: 0 }]);
        let expected = Statistics { deliveries: 1, taken: 5, refusals: 15, recorded: 6, failures: 0 };
        assert_eq!(statistics(&warehouse, 6).await, expected);
        client.close().await;
    }

    #[actix_rt::test]
    async fn a_failure_of_the_database_is_answered_and_the_actor_goes_on() {
        let server = Standalone::start().await.unwrap();
        let client = Client::with_uri_str(server.uri()).await.unwrap();
        let warehouse = Warehouse::new(&client.database("warehouse")).start();
        client.close().await;
        let refusal = take(&warehouse, 1).await.unwrap().unwrap_err();
        assert!(matches!(&refusal, Refusal::Database(error) if error.to_string().contains("closed")), "{refusal}");
        assert!(warehouse.send(Deliver { item: "lamp".into(), quantity: 1 }).await.unwrap().is_err());
        let (sender, mut inventories) = mpsc::unbounded_channel();
        warehouse.do_send(TakeStock { to: Clerk(sender).start().recipient() });
        assert!(inventories.recv().await.unwrap().0.is_err());
        assert_eq!(statistics(&warehouse, 3).await.failures, 3);
    }
}

mod supervision_tree {
    use actix::{Actor, Addr, Context, Handler};
    use mongo_actors::supervision::RestartBudget;
    use tokio::sync::mpsc;

    use super::{
        shop::{Fail, GetClient, Note, Sell, Storage, Till},
        *,
    };

    /// Passes on what the tree tells.
    struct Diary(mpsc::UnboundedSender<String>);

    impl Actor for Diary {
        type Context = Context<Self>;
    }

    impl Handler<Note> for Diary {
        type Result = ();

        fn handle(&mut self, Note(note): Note, _: &mut Self::Context) {
            self.0.send(note).unwrap();
        }
    }

    async fn sell(till: &Addr<Till>) -> i64 {
        till.send(Sell { price: 3 }).await.unwrap().unwrap()
    }

    async fn client(storage: &Addr<Storage>) -> Client {
        storage.send(GetClient).await.unwrap().unwrap()
    }

    #[actix_rt::test]
    async fn whatever_fails_in_the_tree_only_what_hangs_on_it_starts_anew() {
        let server = Standalone::start().await.unwrap();
        let (told, mut notes) = mpsc::unbounded_channel();
        let diary = Diary(told).start();
        let storage = Storage::start(server.uri(), RestartBudget::default(), diary.clone().recipient());
        let till = Till::start(1, "shop".to_owned(), storage.clone(), diary.recipient());
        assert_eq!(sell(&till).await, 3);
        let first = client(&storage).await;

        till.do_send(Fail);
        assert_eq!(sell(&till).await, 6);
        assert_eq!(notes.recv().await.unwrap(), "till 1 starts anew");
        assert!(client(&storage).await.ptr_eq(&first));

        first.restart().await;
        assert_eq!(sell(&till).await, 9);
        assert!(client(&storage).await.ptr_eq(&first));

        storage.do_send(Fail);
        assert_eq!(sell(&till).await, 12);
        assert_eq!(notes.recv().await.unwrap(), "the storage starts anew");
        assert!(!client(&storage).await.ptr_eq(&first));
        let refusal = first.list_database_names().await.unwrap_err();
        assert!(refusal.to_string().contains("the client is closed"), "{refusal}");
        client(&storage).await.close().await;
    }
}
