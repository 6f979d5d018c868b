//! BSON and extended JSON, as the `bson` crate that the driver builds on reads and writes them.

use std::{collections::HashMap, str::FromStr};

use bson::{Bson, Decimal128, Document};
use libtest_mimic::Failed;
use serde_json::Value;

use super::{Case, unclaimed};
use crate::discovery::SpecFile;

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    let bson_type = file.json["bson_type"].as_str().unwrap_or_default().to_owned();
    let mut cases = Vec::new();
    for (kind, run) in [("valid", valid as Run), ("decodeErrors", decode_error), ("parseErrors", parse_error)] {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for test in file.json[kind].as_array().into_iter().flatten() {
            let description = test["description"].as_str().unwrap_or("case without a description");
            let count = seen.entry(description).and_modify(|count| *count += 1).or_insert(1);
            let name = match *count {
                1 => format!("{kind}/{description}"),
                count => format!("{kind}/{description} ({count})"),
            };
            let (test, bson_type) = (test.clone(), bson_type.clone());
            cases.push(Case::new(file, &name, move || run(&test, &bson_type)));
        }
    }
    if cases.is_empty() { unclaimed(file) } else { cases }
}

type Run = fn(&Value, &str) -> Result<(), Failed>;

fn valid(test: &Value, _: &str) -> Result<(), Failed> {
    let canonical_bson = hex(&test["canonical_bson"])?;
    let canonical = extended_json(&test["canonical_extjson"])?;
    let is_lossy = test["lossy"].as_bool().unwrap_or(false);

    let native = decode(&canonical_bson)?;
    same("BSON to BSON", &canonical_bson, &native.to_vec()?)?;
    raw_round_trip(&canonical_bson)?;
    same("BSON to canonical extended JSON", &canonical, &to_canonical(native.clone()))?;
    let from_canonical = from_json(&canonical)?;
    same("canonical extended JSON to itself", &canonical, &to_canonical(from_canonical.clone()))?;
    if !is_lossy {
        same("canonical extended JSON to BSON", &canonical_bson, &from_canonical.to_vec()?)?;
    }
    if !test["relaxed_extjson"].is_null() {
        let relaxed = extended_json(&test["relaxed_extjson"])?;
        same("BSON to relaxed extended JSON", &relaxed, &to_relaxed(native))?;
        same("relaxed extended JSON to itself", &relaxed, &to_relaxed(from_json(&relaxed)?))?;
    }
    if !test["degenerate_bson"].is_null() {
        let degenerate = decode(&hex(&test["degenerate_bson"])?)?;
        same("degenerate BSON to BSON", &canonical_bson, &degenerate.to_vec()?)?;
    }
    if !test["degenerate_extjson"].is_null() {
        let degenerate = from_json(&extended_json(&test["degenerate_extjson"])?)?;
        same("degenerate extended JSON to canonical", &canonical, &to_canonical(degenerate.clone()))?;
        if !is_lossy {
            same("degenerate extended JSON to BSON", &canonical_bson, &degenerate.to_vec()?)?;
        }
    }
    if !test["converted_bson"].is_null() {
        let converted = decode(&hex(&test["converted_bson"])?)?;
        same("converted BSON to JSON", &extended_json(&test["converted_extjson"])?, &to_canonical(converted))?;
    }
    Ok(())
}

/// The raw view of the same bytes holds the same values.
fn raw_round_trip(bytes: &[u8]) -> Result<(), Failed> {
    let raw = bson::RawDocumentBuf::from_bytes(bytes.to_vec())?;
    let mut copy = bson::RawDocumentBuf::new();
    for element in raw.iter() {
        let (key, value) = element?;
        copy.append(key, value);
    }
    same("raw BSON to BSON", &bytes.to_vec(), &copy.into_bytes())
}

fn decode_error(test: &Value, _: &str) -> Result<(), Failed> {
    match decode(&hex(&test["bson"])?) {
        Ok(document) => Err(format!("the bytes were decoded to {document}").into()),
        Err(_) => Ok(()),
    }
}

fn parse_error(test: &Value, bson_type: &str) -> Result<(), Failed> {
    let text = test["string"].as_str().ok_or("the case lacks a string")?;
    if bson_type == "0x13" {
        return match Decimal128::from_str(text) {
            Ok(decimal) => Err(format!("the text was parsed to {decimal}").into()),
            Err(_) => Ok(()),
        };
    }
    // What these texts break is a rule of extended JSON, and at the latest one of BSON.
    let json: Value = serde_json::from_str(text)?;
    match from_json(&json).and_then(|document| Ok(document.to_vec()?)) {
        Ok(_) => Err("the text was parsed".into()),
        Err(_) => Ok(()),
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Document, Failed> {
    let mut rest = bytes;
    let document = Document::from_reader(&mut rest)?;
    match rest {
        [] => Ok(document),
        _ => Err("bytes follow the document".into()),
    }
}

fn from_json(json: &Value) -> Result<Document, Failed> {
    match Bson::try_from(json.clone())? {
        Bson::Document(document) => Ok(document),
        other => Err(format!("{other} is not a document").into()),
    }
}

fn to_canonical(document: Document) -> Value {
    with_doubles_spelled_alike(Bson::Document(document).into_canonical_extjson())
}

fn to_relaxed(document: Document) -> Value {
    Bson::Document(document).into_relaxed_extjson()
}

fn extended_json(field: &Value) -> Result<Value, Failed> {
    let json = serde_json::from_str(field.as_str().ok_or("a text of extended JSON is missing")?)?;
    Ok(with_doubles_spelled_alike(json))
}

/// The corpus leaves open how a double is spelled, so two spellings of one number are the same.
fn with_doubles_spelled_alike(json: Value) -> Value {
    match json {
        Value::Array(values) => values.into_iter().map(with_doubles_spelled_alike).collect(),
        Value::Object(fields) => {
            let respell = |(name, value): (String, Value)| {
                let number =
                    value.as_str().filter(|_| name == "$numberDouble").and_then(|text| text.parse::<f64>().ok());
                match number.filter(|number| number.is_finite()) {
                    Some(number) => (name, format!("{number:?}").into()),
                    None => (name, with_doubles_spelled_alike(value)),
                }
            };
            Value::Object(fields.into_iter().map(respell).collect())
        }
        other => other,
    }
}

pub(super) fn hex(field: &Value) -> Result<Vec<u8>, Failed> {
    let digits = field.as_str().ok_or("a text of hexadecimal digits is missing")?;
    let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<_> = (0..digits.len()).step_by(2).map(byte).collect();
    bytes.ok_or_else(|| "malformed hexadecimal digits".into())
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, actual: &T) -> Result<(), Failed> {
    if expected == actual { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {actual:?}").into()) }
}
