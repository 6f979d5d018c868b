//! Vectors of numbers in BSON (binary subtype 9), as the `bson` crate that the driver builds on reads and writes them.

use bson::{
    Bson, Document,
    binary::{PackedBitVector, Vector},
};
use libtest_mimic::Failed;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Case,
    bson_corpus::{decode, hex, same},
    unclaimed,
};
use crate::discovery::SpecFile;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "description")]
    _description: String,
    test_key: String,
    tests: Vec<Test>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    description: String,
    valid: bool,
    vector: Option<Vec<Value>>,
    dtype_hex: String,
    #[serde(rename = "dtype_alias")]
    _dtype_alias: Option<String>,
    #[serde(default)]
    padding: i64,
    canonical_bson: Option<Value>,
}

pub(crate) fn cases(file: &SpecFile) -> Vec<Case> {
    let Ok(File { test_key, tests, .. }) = File::deserialize(&file.json) else { return unclaimed(file) };
    let case = |test: Test| {
        let (name, key) = (test.description.clone(), test_key.clone());
        Case::new(file, &name, move || if test.valid { valid(&test, &key) } else { invalid(&test, &key) })
    };
    tests.into_iter().map(case).collect()
}

fn valid(test: &Test, key: &str) -> Result<(), Failed> {
    let bytes = hex(test.canonical_bson.as_ref().ok_or("the case lacks canonical_bson")?)?;
    let vector = vector(test)?;
    let document = Document::from_iter([(key.to_owned(), Bson::from(vector.clone()))]);
    same("the vector as BSON", &bytes, &document.to_vec()?)?;
    same("BSON as a vector", &vector, &unpacked(&bytes, key)?)
}

fn invalid(test: &Test, key: &str) -> Result<(), Failed> {
    if test.vector.is_none() && test.canonical_bson.is_none() {
        return Err("the case has nothing to refuse".into());
    }
    if test.vector.is_some()
        && let Ok(vector) = vector(test)
    {
        return Err(format!("the numbers became {vector:?}").into());
    }
    match &test.canonical_bson {
        None => Ok(()),
        Some(bytes) => match unpacked(&hex(bytes)?, key) {
            Ok(vector) => Err(format!("the bytes became {vector:?}").into()),
            Err(_) => Ok(()),
        },
    }
}

/// The vector of the case's numbers.
fn vector(test: &Test) -> Result<Vector, Failed> {
    let numbers = test.vector.as_ref().ok_or("the case lacks a vector")?;
    match test.dtype_hex.as_str() {
        "0x03" => unpadded(Vector::Int8(integers(numbers)?), test.padding),
        "0x27" => unpadded(Vector::Float32(floats(numbers)?), test.padding),
        "0x10" => Ok(Vector::PackedBit(PackedBitVector::new(integers(numbers)?, u8::try_from(test.padding)?)?)),
        other => Err(format!("this runner does not know the type {other}").into()),
    }
}

/// There is no way to give such a vector a padding but to write the bytes oneself.
fn unpadded(vector: Vector, padding: i64) -> Result<Vector, Failed> {
    let mut bytes = bson::Binary::from(vector).bytes;
    bytes[1] = u8::try_from(padding)?;
    Ok(Vector::from_bytes(bytes)?)
}

fn integers<T: TryFrom<i64>>(numbers: &[Value]) -> Result<Vec<T>, Failed> {
    let integer = |number: &Value| number.as_i64().and_then(|number| T::try_from(number).ok());
    let refused = |number: &Value| Failed::from(format!("{number} is no element of such a vector"));
    numbers.iter().map(|number| integer(number).ok_or_else(|| refused(number))).collect()
}

fn floats(numbers: &[Value]) -> Result<Vec<f32>, Failed> {
    let float = |number: &Value| match Bson::try_from(number.clone())? {
        Bson::Double(number) => Ok(number as f32),
        other => Err(Failed::from(format!("{other} is no element of such a vector"))),
    };
    numbers.iter().map(float).collect()
}

/// The vector in a document, read in both ways that there are.
fn unpacked(bytes: &[u8], key: &str) -> Result<Vector, Failed> {
    let document = decode(bytes)?;
    let Some(Bson::Binary(binary)) = document.get(key) else { return Err("there is no binary".into()) };
    let vector = Vector::try_from(binary);
    let by_serde = bson::deserialize_from_bson::<Vector>(Bson::Binary(binary.clone()));
    same("whether serde reads it", &vector.is_ok(), &by_serde.is_ok())?;
    same("what serde reads", &vector.clone().ok(), &by_serde.ok())?;
    Ok(vector?)
}
