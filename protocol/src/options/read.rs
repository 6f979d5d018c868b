//! From the pairs of a connection string to a set of options.

use super::{
    ConfigError, ConfigWarning, WarningReason,
    set::OptionSet,
    table::{self, Repeated, Row},
    values,
};
use crate::uri::UriOption;

/// The options of a connection string with what there is to say about them.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) set: OptionSet,
    pub(super) warnings: Vec<ConfigWarning>,
    pub(super) notices: Vec<ConfigWarning>,
}

/// One option with all its values, in the order of its first appearance.
struct Given<'a> {
    row: &'static Row,
    values: Vec<&'a str>,
}

/// Reads the pairs. Malformed values of lenient options are dropped with a warning.
pub(super) fn read(pairs: &[UriOption]) -> Result<Reading, ConfigError> {
    let mut reading = Reading::default();
    let given = collect(pairs, &mut reading.warnings);
    refuse_tls_disagreement(&given)?;
    for option in &given {
        reading.apply(option, &given)?;
    }
    Ok(reading)
}

fn collect<'a>(pairs: &'a [UriOption], warnings: &mut Vec<ConfigWarning>) -> Vec<Given<'a>> {
    let mut given: Vec<Given<'a>> = Vec::new();
    for UriOption { name, value } in pairs {
        let Some(row) = table::row(name) else {
            warnings.push(ConfigWarning::new(name.clone(), WarningReason::UnknownOption));
            continue;
        };
        match given.iter_mut().find(|option| option.row.name == row.name) {
            Some(option) => option.values.push(value),
            None => given.push(Given { row, values: vec![value] }),
        }
    }
    given
}

/// `tls` and its alias `ssl` must say the same, however often they appear.
fn refuse_tls_disagreement(given: &[Given<'_>]) -> Result<(), ConfigError> {
    let mut meanings = given
        .iter()
        .filter(|option| option.row.repeated == Repeated::MustAgree)
        .flat_map(|option| &option.values)
        .filter_map(|value| values::old_bool("tls", value, &mut Vec::new()).ok());
    let first = meanings.next();
    if meanings.any(|meaning| Some(meaning) != first) {
        return Err(ConfigError::uri("options tls and ssl", "they contradict each other: give tls once"));
    }
    Ok(())
}

impl Reading {
    fn apply(&mut self, option: &Given<'_>, all: &[Given<'_>]) -> Result<(), ConfigError> {
        let Given { row, values } = option;
        if let Some(replacement) = row.replacement()
            && all.iter().any(|other| other.row.name == replacement)
        {
            self.warnings.push(ConfigWarning::new(row.name, WarningReason::Superseded { replacement }));
            return Ok(());
        }
        let values = match row.repeated {
            _ if values.len() == 1 => values.as_slice(),
            Repeated::Accumulates => values.as_slice(),
            Repeated::Refused => {
                return Err(ConfigError::uri(format!("option {}", row.name), "it is given several times"));
            }
            Repeated::MustAgree => {
                self.warnings.push(ConfigWarning::new(row.name, WarningReason::Repeated));
                values.as_slice()
            }
            Repeated::LastHolds => {
                self.warnings.push(ConfigWarning::new(row.name, WarningReason::Repeated));
                &values[values.len() - 1..]
            }
        };
        for value in values {
            row.apply(value, &mut self.set, &mut self.warnings, &mut self.notices)?;
        }
        Ok(())
    }
}
