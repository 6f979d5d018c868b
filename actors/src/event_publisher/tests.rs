use std::sync::Mutex;

use bson::oid::ObjectId;
use mongo_actors_protocol::event::{TopologyClosedEvent, TopologyOpeningEvent};

use super::*;

#[derive(Default)]
struct Recorder {
    seen: Mutex<Vec<u8>>,
    inline: bool,
}

impl TopologyListener for Recorder {
    fn delivery(&self) -> Delivery {
        if self.inline { Delivery::Inline } else { Delivery::Queued }
    }

    fn topology_opening(&self, event: &TopologyOpeningEvent) {
        self.seen.lock().unwrap().push(event.topology_id.bytes()[0]);
    }

    fn topology_closed(&self, _: &TopologyClosedEvent) {
        panic!("as the test wants");
    }
}

fn opening(number: u8) -> SdamEvent {
    SdamEvent::TopologyOpening { topology_id: ObjectId::from_bytes([number; 12]) }
}

fn listeners(listener: &Arc<Recorder>) -> Listeners {
    Listeners { topology: vec![listener.clone()], ..Listeners::default() }
}

#[tokio::test]
async fn events_arrive_in_order_and_survive_a_panic() {
    let listener = Arc::new(Recorder::default());
    let sink = EventSink::start(listeners(&listener), None, false).unwrap();
    sink.publish_sdam(opening(1));
    sink.publish_sdam(SdamEvent::TopologyClosed { topology_id: ObjectId::from_bytes([0; 12]) });
    sink.publish_sdam(opening(2));
    sink.flushed().await;
    assert_eq!(*listener.seen.lock().unwrap(), [1, 2]);
}

#[tokio::test]
async fn an_inline_listener_has_seen_the_event_when_publishing_returns() {
    let listener = Arc::new(Recorder { inline: true, ..Recorder::default() });
    let sink = EventSink::start(listeners(&listener), None, false).unwrap();
    sink.publish_sdam(opening(7));
    assert_eq!(*listener.seen.lock().unwrap(), [7]);
    sink.flushed().await;
}

#[test]
fn a_full_queue_drops_the_oldest_and_says_how_many() {
    let queue = Queue::new(2);
    for entry in 1..=5 {
        queue.push(entry);
    }
    queue.close();
    assert_eq!(queue.pop(), Some((4, 3)));
    assert_eq!(queue.pop(), Some((5, 0)));
    assert_eq!(queue.pop(), None);
}
