//! Panics that were ordered: there are many in a campaign, and the driver survives them.

use std::{
    any::Any,
    panic::{set_hook, take_hook},
};

use mongo_actors::chaos::ORDERED_PANIC;

/// Keeps panics that a plan or a command has ordered out of the terminal. Every other panic is left to the hook that was
/// there before.
pub fn hush() {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        if !is_ordered(panic.payload()) {
            usual(panic);
        }
    }));
}

fn is_ordered(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref::<&str>() == Some(&ORDERED_PANIC)
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{catch_unwind, panic_any},
        sync::{Arc, Mutex},
        thread,
    };

    use super::*;

    #[test]
    fn only_panics_that_were_ordered_are_kept_from_the_usual_hook() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (usual, heard, here) = (Arc::new(take_hook()), told.clone(), thread::current().id());
        let before = usual.clone();
        set_hook(Box::new(move |panic| match thread::current().id() == here {
            true => heard.lock().unwrap().push(panic.payload_as_str().map(str::to_owned)),
            // Other tests panic as they like.
            false => before(panic),
        }));
        hush();
        let panics: [fn(); 4] =
            [|| panic_any(ORDERED_PANIC), || panic!("a bug"), || panic_any(7), || panic!("{ORDERED_PANIC}, or not")];
        let caught = panics.into_iter().filter(|panic| catch_unwind(panic).is_err()).count();
        set_hook(Box::new(move |panic| usual(panic)));
        assert_eq!(caught, panics.len());
        let expected = [Some("a bug".to_owned()), None, Some(format!("{ORDERED_PANIC}, or not"))];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
