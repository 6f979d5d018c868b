//! A server's replies in a conversation of any mechanism, one document after the other; SCRAM up to its challenge.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::{
    auth::{
        conversation::{Conversation, Step},
        credential::{AuthMechanism, Credential},
    },
    command::Request,
    wire::{Documents, ReplyBody},
};
use rand::{SeedableRng, rngs::StdRng};

const PASSWORD: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
const MECHANISMS: [AuthMechanism; 5] = [
    AuthMechanism::ScramSha1,
    AuthMechanism::ScramSha256,
    AuthMechanism::MongoDbX509,
    AuthMechanism::MongoDbAws,
    AuthMechanism::Plain,
];

fn credential(mechanism: AuthMechanism) -> Credential {
    match mechanism {
        AuthMechanism::MongoDbX509 => Credential::of_mechanism(mechanism),
        _ => Credential::new("AKIDEXAMPLE", PASSWORD).with_mechanism(mechanism),
    }
}

fn shows(bytes: &[u8]) -> bool {
    bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes())
}

fn check(request: &Request, mechanism: AuthMechanism) {
    assert!(matches!(&*request.name, "saslStart" | "saslContinue" | "authenticate"));
    assert_eq!(shows(request.body.as_bytes()), mechanism == AuthMechanism::Plain, "only PLAIN shows the password");
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, replies)) = data.split_first() else { return };
    // Whoever knows the password already may be quoted.
    if shows(replies) {
        return;
    }
    let mechanism = MECHANISMS[usize::from(*choice) % MECHANISMS.len()];
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
    let credential = credential(mechanism);
    let begun = Conversation::begin(mechanism, &credential, now, &mut StdRng::seed_from_u64(1));
    let mut conversation = begun.expect("a good credential");
    check(&conversation.first_command(), mechanism);
    assert!(!format!("{conversation:?}").contains(PASSWORD));
    let mut answers = 0;
    for reply in Documents::new(replies).map_while(Result::ok).take(6) {
        let Ok(body) = ReplyBody::try_from(bytes::Bytes::copy_from_slice(reply.as_bytes())) else { return };
        let request = match conversation.step(body.as_document()) {
            Ok(Step::Send(request)) => request,
            // How SCRAM goes on is the business of the target of that name.
            Ok(Step::NeedKeys(_)) => return,
            Ok(Step::Done) => {
                let needed = match mechanism {
                    AuthMechanism::MongoDbX509 | AuthMechanism::Plain => 0,
                    _ => 1,
                };
                assert!(answers >= needed, "it ended before our answer was asked for");
                return;
            }
            Err(error) => {
                let text = error.to_string();
                assert!(!text.is_empty() && !text.contains(PASSWORD));
                return;
            }
        };
        check(&request, mechanism);
        answers += 1;
        assert!(answers <= 3, "the conversation does not end");
    }
});
