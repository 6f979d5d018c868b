//! More time for tests of timeouts, which else the load of the machine would decide.

use serde_json::Value;

/// By how much every time in a file is multiplied. What is compared with it stretches as well, so that what a test says
/// stays the same.
const FACTOR: i64 = 4;

/// The names of times in milliseconds: options, arguments, parts of fail points, and fields of commands. Those of write
/// concerns are not among them: they limit nothing here, and one of them is a constant of the driver.
const TIMES: &[&str] = &[
    "blockTimeMS",
    "defaultTimeoutMS",
    "maxAwaitTimeMS",
    "maxCommitTimeMS",
    "maxTimeMS",
    "socketTimeoutMS",
    "timeoutMS",
    "waitQueueTimeoutMS",
];

/// The same file, in which everything takes longer.
pub(super) fn stretched(file: &Value) -> Value {
    match file {
        Value::Object(fields) => {
            let stretch = |(name, value): (&String, &Value)| {
                let value = if TIMES.contains(&name.as_str()) { longer(value) } else { stretched(value) };
                (name.clone(), value)
            };
            Value::Object(fields.iter().map(stretch).collect())
        }
        Value::Array(values) => values.iter().map(stretched).collect(),
        other => other.clone(),
    }
}

/// A time, or what it is compared with.
fn longer(time: &Value) -> Value {
    match time {
        Value::Number(number) => number.as_i64().map_or_else(|| time.clone(), |number| (number * FACTOR).into()),
        Value::Object(operator) => operator
            .iter()
            .map(|(name, operand)| (name.clone(), longer(operand)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
