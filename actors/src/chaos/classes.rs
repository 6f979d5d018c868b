//! The class of each message, as the architecture lists them.

use mongo_actors_protocol::chaos::MessageClass;

/// The class of the message with this name. One that is not listed is taken for one that nobody must lose.
pub(super) fn class_of(message: &str) -> MessageClass {
    match message {
        "Execute" | "Select" | "CheckOutBare" | "OperationFailed" | "CheckOut" | "Run" | "Equipped" | "Equip"
        | "Lend" | "ReturnSession" | "Fetch" => MessageClass::Ticket,
        "RequestCheck" | "CancelCheck" | "ProbeSuperseded" | "ClusterTimeSeen" | "ServerObserved" | "DrainStarted"
        | "AbandonServer" | "Abandon" | "Settle" => MessageClass::Periodic,
        "Shutdown" | "Restart" | "Attend" | "Decided" | "CollectSessions" | "RefuseWaiting" | "CloseTopology"
        | "Flush" | "WarmUpPools" | "OrderPool" | "SurrenderSessions" | "ClosePool" | "FlushPool" | "WarmUp"
        | "SurrenderSession" | "AbandonSessions" | "TakeEnded" | "EndStream" => MessageClass::Barrier,
        _ => MessageClass::State,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The table of the architecture, row by row.
    #[test]
    fn the_classes_are_those_of_the_architecture() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
        let page = fs::read_to_string(page).unwrap();
        let section = page.split("## Message classes").nth(1).unwrap().split("\n## ").next().unwrap();
        for (row, class) in [
            ("| tickets and leases |", MessageClass::Ticket),
            ("| periodic |", MessageClass::Periodic),
            ("| state |", MessageClass::State),
            ("| closing and barriers |", MessageClass::Barrier),
        ] {
            let line = section.lines().find(|line| line.starts_with(row)).unwrap();
            let names: Vec<_> = line.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
            assert!(names.len() > 5, "{line}");
            for name in names {
                assert_eq!(class_of(name), class, "{name}");
            }
        }
    }
}
