//! Why a test fails, or an operation does.

use libtest_mimic::Failed;
use mongo_actors::Error;

/// The test fails, whatever it expects.
#[derive(Clone, Debug)]
pub(super) struct Failure(pub(super) String);

/// Why an operation ended without a result.
#[derive(Debug)]
pub(super) enum Stop {
    /// The driver says so, which the test may expect.
    Driver(Box<Error>),
    /// The test fails.
    Failure(Failure),
}

pub(super) type Outcome<T = ()> = Result<T, Failure>;
pub(super) type Attempt<T> = Result<T, Stop>;

/// A failure with this formatted text.
macro_rules! failure {
    ($($text:tt)*) => { $crate::unified::failure::Failure(format!($($text)*)) };
}
pub(super) use failure;

impl Failure {
    /// The same, saying where.
    pub(super) fn at(self, place: impl std::fmt::Display) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

impl From<Failure> for Failed {
    fn from(Failure(text): Failure) -> Self {
        text.into()
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Driver(Box::new(error))
    }
}

impl Stop {
    /// What it is where no error is expected.
    pub(super) fn unexpected(self) -> Failure {
        match self {
            Self::Driver(error) => failure!("an error of the driver: {error}\n{error:?}"),
            Self::Failure(failure) => failure,
        }
    }
}
