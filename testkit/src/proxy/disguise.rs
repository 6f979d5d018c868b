//! Making a primary look like a router of a sharded cluster.

use bson::{Document, doc, oid::ObjectId};

/// Fields of a `hello` reply that only members of a replica set send.
const MEMBER_FIELDS: &[&str] = &[
    "setName",
    "setVersion",
    "hosts",
    "passives",
    "arbiters",
    "primary",
    "me",
    "electionId",
    "lastWrite",
    "secondary",
    "passive",
    "arbiterOnly",
    "hidden",
    "tags",
    "secondaryDelaySecs",
    "slaveDelay",
    "isreplicaset",
    "isImplicitDefaultMajorityWC",
];

/// What a connection's server pretends to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Disguise {
    /// What it is.
    #[default]
    None,
    /// A mongos.
    Mongos,
    /// A mongos behind a load balancer.
    LoadBalanced(ObjectId),
}

/// What must be known of a request to answer it in disguise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) hello: bool,
    pub(super) load_balanced: bool,
    pub(super) in_transaction: bool,
}

impl Traits {
    pub(super) fn of(command: &str, body: &Document) -> Self {
        Self {
            hello: is_hello(command),
            load_balanced: body.get_bool("loadBalanced").unwrap_or(false),
            in_transaction: body.get_bool("autocommit").is_ok_and(|on| !on),
        }
    }
}

pub(super) fn is_hello(command: &str) -> bool {
    command.eq_ignore_ascii_case("hello") || command.eq_ignore_ascii_case("isMaster")
}

/// A reply in disguise.
#[derive(Debug, PartialEq)]
pub(super) enum Disguised {
    /// Forward it as it came.
    Unchanged,
    /// Forward this instead.
    Changed(Document),
    /// The server is no primary any more and can pretend no longer.
    Exposed,
}

impl Disguise {
    /// What to forward instead of the request `body`, if anything: a member does not take back the recovery
    /// token it never gave.
    pub(super) fn apply_to_request(self, body: &Document) -> Option<Document> {
        if self == Self::None || !body.contains_key("recoveryToken") {
            return None;
        }
        let mut body = body.clone();
        body.remove("recoveryToken");
        Some(body)
    }

    /// What to forward instead of `reply`, the answer to a request of these `traits`.
    pub(super) fn apply(self, traits: Traits, reply: &Document) -> Disguised {
        if self == Self::None {
            return Disguised::Unchanged;
        }
        if traits.hello {
            return self.apply_to_hello(traits, reply);
        }
        if traits.in_transaction && !reply.contains_key("recoveryToken") {
            let mut reply = reply.clone();
            reply.insert("recoveryToken", doc! { "recoveredShardId": "shard" });
            return Disguised::Changed(reply);
        }
        Disguised::Unchanged
    }

    fn apply_to_hello(self, traits: Traits, reply: &Document) -> Disguised {
        let is_true = |name| reply.get_bool(name).unwrap_or(false);
        if !is_true("isWritablePrimary") && !is_true("ismaster") {
            return Disguised::Exposed;
        }
        let mut reply = reply.clone();
        for field in MEMBER_FIELDS {
            reply.remove(field);
        }
        reply.insert("msg", "isdbgrid");
        if let (Self::LoadBalanced(id), true) = (self, traits.load_balanced) {
            reply.insert("serviceId", id);
        }
        Disguised::Changed(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Traits = Traits { hello: true, load_balanced: true, in_transaction: false };

    #[test]
    fn a_primary_looks_like_a_router() {
        let reply =
            doc! { "isWritablePrimary": true, "setName": "rs", "hosts": ["a:1"], "maxWireVersion": 17, "ok": 1 };
        let expected = doc! { "isWritablePrimary": true, "maxWireVersion": 17, "ok": 1, "msg": "isdbgrid" };
        assert_eq!(Disguise::Mongos.apply(HELLO, &reply), Disguised::Changed(expected));
    }

    #[test]
    fn the_service_id_is_given_only_to_those_who_ask() {
        let id = ObjectId::new();
        let reply = doc! { "isWritablePrimary": true, "ok": 1 };
        let Disguised::Changed(told) = Disguise::LoadBalanced(id).apply(HELLO, &reply) else { panic!("unchanged") };
        assert_eq!(told.get_object_id("serviceId").unwrap(), id);
        let plain = Traits { load_balanced: false, ..HELLO };
        let Disguised::Changed(told) = Disguise::LoadBalanced(id).apply(plain, &reply) else { panic!("unchanged") };
        assert!(!told.contains_key("serviceId"));
    }

    #[test]
    fn a_secondary_cannot_pretend() {
        let reply = doc! { "isWritablePrimary": false, "secondary": true, "ok": 1 };
        assert_eq!(Disguise::Mongos.apply(HELLO, &reply), Disguised::Exposed);
    }

    #[test]
    fn replies_in_transactions_carry_a_recovery_token() {
        let traits = Traits::of("insert", &doc! { "insert": "c", "autocommit": false });
        let Disguised::Changed(reply) = Disguise::Mongos.apply(traits, &doc! { "ok": 1 }) else { panic!("unchanged") };
        assert!(reply.contains_key("recoveryToken"));
        assert_eq!(Disguise::Mongos.apply(Traits::default(), &doc! { "ok": 1 }), Disguised::Unchanged);
    }
}
