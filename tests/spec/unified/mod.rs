//! Runs files in the unified test format.
//!
//! Follows the specification of that name: a file is read [strictly](schema), each test becomes one case for each
//! [place](deployments) where its requirements let it run, and [running](run) it makes [entities], executes
//! [operations], and compares results, [errors], [events] and [log messages](logs).

mod arguments;
mod deployments;
mod entities;
mod errors;
mod events;
mod fail_points;
mod failure;
mod initial_data;
mod logs;
mod matching;
mod operations;
mod requirements;
mod run;
mod schema;
mod stretch;
mod uses;

use std::sync::{Arc, LazyLock};

use tokio::task::LocalSet;

use self::{
    deployments::{Place, lend, runtime},
    failure::{Outcome, failure},
    requirements::{Catalogue, describe, topology_name},
    schema::{Test, TestFile},
};
use crate::{discovery::SpecFile, suites::Case};

static CATALOGUE: LazyLock<Result<Catalogue, String>> = LazyLock::new(Catalogue::read);

/// The cases of a file that must be well-formed and pass.
pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    cases_with(file, |outcome| outcome)
}

/// The cases of a file that must be well-formed and pass, and is about timeouts: they get more time.
pub(crate) fn timed_cases(file: &SpecFile) -> Vec<Case> {
    let json = stretch::stretched(&file.json);
    cases(&SpecFile { name: file.name.clone(), text: file.text.clone(), json })
}

/// The cases of a file that must be well-formed and fail.
pub(crate) fn failing_cases(file: &SpecFile) -> Vec<Case> {
    let invert = |outcome: Outcome| match outcome {
        Ok(()) => Err(failure!("it passed, although it must fail")),
        Err(_) => Ok(()),
    };
    match TestFile::read(&file.json) {
        Err(_) => vec![Case::new(file, "file", || Ok(()))],
        Ok(_) => cases_with(file, invert),
    }
}

/// The case that a file is refused.
pub(crate) fn invalid_cases(file: &SpecFile) -> Vec<Case> {
    let read = TestFile::read(&file.json);
    let refused = move || match read {
        Err(_) => Ok(()),
        Ok(_) => Err(failure!("the file violates the schema, and was accepted").into()),
    };
    vec![Case::new(file, "is refused", refused)]
}

fn cases_with(file: &SpecFile, judge: fn(Outcome) -> Outcome) -> Vec<Case> {
    match TestFile::read(&file.json) {
        Ok(content) => {
            let content = Arc::new(content);
            (0..content.tests.len()).flat_map(|index| cases_of(file, &content, index, judge)).collect()
        }
        Err(reason) => vec![Case::new(file, "file", move || Err(failure!("malformed: {reason}").into()))],
    }
}

/// One case for each place where the test can run.
fn cases_of(file: &SpecFile, content: &Arc<TestFile>, index: usize, judge: fn(Outcome) -> Outcome) -> Vec<Case> {
    let test = &content.tests[index];
    let name = test.description.as_str();
    if let Some(reason) = &test.skip_reason {
        return vec![Case::ignored(file, name, format!("the file skips it: {reason}"))];
    }
    let requirements = [&content.run_on_requirements, &test.run_on_requirements];
    let places = match &*CATALOGUE {
        Ok(catalogue) => catalogue.places(requirements),
        Err(reason) => {
            let reason = reason.clone();
            return vec![Case::new(file, name, move || Err(failure!("{reason}").into()))];
        }
    };
    if places.is_empty() {
        return vec![Case::ignored(file, name, format!("it asks for {}", describe(requirements)))];
    }
    let several = places.len() > 1;
    let uses = uses::of(content, test);
    let case = |place: Place| {
        let content = content.clone();
        let run = move || Ok(judge(run(&content, &content.tests[index], place))?);
        let case = Case { uses: uses.clone(), ..Case::new(file, name, run) };
        if several { case.on(topology_name(place.topology)) } else { case }
    };
    places.into_iter().map(case).collect()
}

fn run(file: &TestFile, test: &Test, place: Place) -> Outcome {
    let deployment = lend(place)?;
    runtime().block_on(LocalSet::new().run_until(run::run(file, test, deployment)))
}
