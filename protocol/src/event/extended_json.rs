//! Documents in log messages.

use std::fmt::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use bson::{
    DateTime, RawDocument,
    oid::ObjectId,
    raw::{RawBsonRef, RawElement},
};

use crate::wire::MAX_NESTING;

/// The most bytes of a document that a log message shows, unless told otherwise.
pub const DEFAULT_MAX_LOG_DOCUMENT_LEN: usize = 1000;
/// The environment variable that says otherwise.
pub const MAX_LOG_DOCUMENT_VARIABLE: &str = "MONGODB_LOG_MAX_DOCUMENT_LENGTH";

/// The most bytes of a document that a log message shows, given the value of [`MAX_LOG_DOCUMENT_VARIABLE`].
///
/// Anything but a number that is not negative counts as absent.
pub fn max_log_document_len(variable: Option<&str>) -> usize {
    variable.and_then(|text| text.trim().parse().ok()).unwrap_or(DEFAULT_MAX_LOG_DOCUMENT_LEN)
}

/// Shows a document as relaxed extended JSON, cut to a number of bytes.
///
/// Follows the logging specification: what is cut is followed by `...`, and the cut never splits a character. The work
/// grows with what is shown, not with the document. Bytes that are not BSON end the text with `<invalid>`.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::event::LogDocument;
///
/// let document = rawdoc! { "find": "orders", "limit": 5 };
/// assert_eq!(LogDocument::new(&document, 1000).to_string(), r#"{"find":"orders","limit":5}"#);
/// assert_eq!(LogDocument::new(&document, 10).to_string(), r#"{"find":"o..."#);
/// ```
#[derive(Clone, Copy)]
pub struct LogDocument<'a> {
    document: &'a RawDocument,
    max_len: usize,
}

impl<'a> LogDocument<'a> {
    /// Shows at most `max_len` bytes of `document`.
    pub fn new(document: &'a RawDocument, max_len: usize) -> Self {
        Self { document, max_len }
    }
}

impl fmt::Display for LogDocument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Bounded { out: f, left: self.max_len };
        match write_document(&mut out, self.document, MAX_NESTING) {
            Ok(()) => Ok(()),
            Err(Stop::Full) => f.write_str("..."),
            Err(Stop::Invalid) => f.write_str("<invalid>"),
            Err(Stop::Failed) => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for LogDocument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why writing ended before the document did.
enum Stop {
    /// The bound is reached.
    Full,
    /// The document is not BSON.
    Invalid,
    /// The formatter failed.
    Failed,
}

impl From<bson::error::Error> for Stop {
    fn from(_: bson::error::Error) -> Self {
        Self::Invalid
    }
}

/// A formatter that takes so many bytes and no more.
struct Bounded<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    left: usize,
}

impl Bounded<'_, '_> {
    fn text(&mut self, text: &str) -> Result<(), Stop> {
        if text.len() <= self.left {
            self.left -= text.len();
            return self.out.write_str(text).map_err(|_| Stop::Failed);
        }
        let mut end = self.left;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.left = 0;
        self.out.write_str(&text[..end]).map_err(|_| Stop::Failed)?;
        Err(Stop::Full)
    }

    /// Writes something short.
    fn show(&mut self, shown: impl fmt::Display) -> Result<(), Stop> {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(text, "{shown}");
        self.text(&text)
    }

    /// Writes `text` in quotes.
    fn quoted(&mut self, text: &str) -> Result<(), Stop> {
        self.text("\"")?;
        let mut plain = 0;
        for (position, byte) in text.bytes().enumerate() {
            let escaped = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0..0x20 => "",
                _ => continue,
            };
            self.text(&text[plain..position])?;
            plain = position + 1;
            match escaped {
                "" => self.show(format_args!("\\u{byte:04x}"))?,
                escaped => self.text(escaped)?,
            }
        }
        self.text(&text[plain..])?;
        self.text("\"")
    }

    fn base64(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        // A multiple of three encodes without padding, and one group more than fits is enough to be cut.
        let enough = (self.left / 4 + 1) * 3;
        self.text(&STANDARD.encode(bytes.get(..enough).unwrap_or(bytes)))
    }
}

fn write_document(out: &mut Bounded<'_, '_>, document: &RawDocument, levels: usize) -> Result<(), Stop> {
    write_elements(out, document, levels, ["{", "}"], |out, element| {
        out.quoted(element.key().as_str())?;
        out.text(":")
    })
}

fn write_elements(
    out: &mut Bounded<'_, '_>,
    document: &RawDocument,
    levels: usize,
    [open, close]: [&str; 2],
    key: impl Fn(&mut Bounded<'_, '_>, &RawElement<'_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let levels = levels.checked_sub(1).ok_or(Stop::Full)?;
    out.text(open)?;
    // Where the current element begins; its bytes are needed for one type only.
    let mut position = 4;
    for (index, element) in document.iter_elements().enumerate() {
        let element = element?;
        if index > 0 {
            out.text(",")?;
        }
        key(out, &element)?;
        let start = position + 1 + element.key().len() + 1;
        position = start + element.size();
        let raw = document.as_bytes().get(start..position).ok_or(Stop::Invalid)?;
        write_value(out, element.value()?, raw, levels)?;
    }
    out.text(close)
}

fn write_value(out: &mut Bounded<'_, '_>, value: RawBsonRef<'_>, raw: &[u8], levels: usize) -> Result<(), Stop> {
    match value {
        RawBsonRef::Double(number) if number.is_finite() => out.show(format_args!("{number:?}")),
        RawBsonRef::Double(number) => {
            let name = match number {
                f64::INFINITY => "Infinity",
                f64::NEG_INFINITY => "-Infinity",
                _ => "NaN",
            };
            out.show(format_args!(r#"{{"$numberDouble":"{name}"}}"#))
        }
        RawBsonRef::String(text) => out.quoted(text),
        RawBsonRef::Document(document) => write_document(out, document, levels),
        RawBsonRef::Array(array) => {
            let elements = RawDocument::from_bytes(array.as_bytes())?;
            write_elements(out, elements, levels, ["[", "]"], |_, _| Ok(()))
        }
        RawBsonRef::Boolean(value) => out.show(value),
        RawBsonRef::Null => out.text("null"),
        RawBsonRef::Int32(number) => out.show(number),
        RawBsonRef::Int64(number) => out.show(number),
        RawBsonRef::ObjectId(id) => out.show(format_args!(r#"{{"$oid":"{id}"}}"#)),
        RawBsonRef::DateTime(date) => write_date(out, date),
        RawBsonRef::Timestamp(stamp) => {
            out.show(format_args!(r#"{{"$timestamp":{{"t":{},"i":{}}}}}"#, stamp.time, stamp.increment))
        }
        RawBsonRef::Decimal128(number) => out.show(format_args!(r#"{{"$numberDecimal":"{number}"}}"#)),
        RawBsonRef::Binary(binary) => {
            out.text(r#"{"$binary":{"base64":""#)?;
            out.base64(binary.bytes)?;
            out.show(format_args!(r#"","subType":"{:02x}"}}}}"#, u8::from(binary.subtype)))
        }
        RawBsonRef::RegularExpression(regex) => {
            out.text(r#"{"$regularExpression":{"pattern":"#)?;
            out.quoted(regex.pattern.as_str())?;
            out.text(r#","options":"#)?;
            out.quoted(regex.options.as_str())?;
            out.text("}}")
        }
        RawBsonRef::JavaScriptCode(code) => write_named(out, "$code", code),
        RawBsonRef::Symbol(symbol) => write_named(out, "$symbol", symbol),
        RawBsonRef::JavaScriptCodeWithScope(code) => {
            out.text(r#"{"$code":"#)?;
            out.quoted(code.code)?;
            out.text(r#","$scope":"#)?;
            write_document(out, code.scope, levels)?;
            out.text("}")
        }
        RawBsonRef::DbPointer(_) => write_db_pointer(out, raw),
        RawBsonRef::Undefined => out.text(r#"{"$undefined":true}"#),
        RawBsonRef::MinKey => out.text(r#"{"$minKey":1}"#),
        RawBsonRef::MaxKey => out.text(r#"{"$maxKey":1}"#),
    }
}

fn write_named(out: &mut Bounded<'_, '_>, name: &str, text: &str) -> Result<(), Stop> {
    out.show(format_args!(r#"{{"{name}":"#))?;
    out.quoted(text)?;
    out.text("}")
}

/// Dates of the years 1970 to 9999 are shown as such, others as a number.
fn write_date(out: &mut Bounded<'_, '_>, date: DateTime) -> Result<(), Stop> {
    const END: i64 = 253_402_300_800_000;
    let millis = date.timestamp_millis();
    match date.try_to_rfc3339_string() {
        Ok(text) if (0..END).contains(&millis) => out.show(format_args!(r#"{{"$date":"{text}"}}"#)),
        _ => out.show(format_args!(r#"{{"$date":{{"$numberLong":"{millis}"}}}}"#)),
    }
}

/// The deprecated type whose fields are not public: a string, then an object id.
fn write_db_pointer(out: &mut Bounded<'_, '_>, raw: &[u8]) -> Result<(), Stop> {
    let (name, id) = raw.split_last_chunk::<12>().ok_or(Stop::Invalid)?;
    let name = name.get(4..name.len().saturating_sub(1)).ok_or(Stop::Invalid)?;
    out.text(r#"{"$dbPointer":{"$ref":"#)?;
    out.quoted(std::str::from_utf8(name).map_err(|_| Stop::Invalid)?)?;
    out.show(format_args!(r#","$id":{{"$oid":"{}"}}}}}}"#, ObjectId::from_bytes(*id)))
}

#[cfg(test)]
mod tests {
    use bson::{Binary, RawDocumentBuf, Regex, Timestamp, raw::cstr, rawdoc, spec::BinarySubtype};

    use super::*;

    fn shown(document: &RawDocument) -> String {
        LogDocument::new(document, usize::MAX).to_string()
    }

    #[test]
    fn every_type_has_its_relaxed_form() {
        let id = ObjectId::from_bytes([0xab; 12]);
        let document = rawdoc! {
            "d": 1.0, "big": 1e300, "nan": f64::NAN, "inf": f64::NEG_INFINITY, "s": "q\"\\\n\u{1}\u{e9}", "o": { "a": {} },
            "l": [1, [], null], "b": Binary { subtype: BinarySubtype::Uuid, bytes: vec![1, 2, 3, 4] }, "t": true,
            "id": id, "at": DateTime::from_millis(1_356_351_330_501), "old": DateTime::from_millis(-1),
            "far": DateTime::from_millis(253_402_300_800_000), "i": i64::MIN, "ts": Timestamp { time: 4, increment: 5 },
            "re": Regex { pattern: cstr!("a\"b").into(), options: cstr!("i").into() },
            "js": bson::RawBson::JavaScriptCode("f()".into()), "sy": bson::RawBson::Symbol("s".into()),
            "sc": bson::RawBson::JavaScriptCodeWithScope(bson::raw::RawJavaScriptCodeWithScope {
                code: "g".into(), scope: rawdoc! { "x": 1 },
            }),
            "u": bson::RawBson::Undefined, "min": bson::RawBson::MinKey, "max": bson::RawBson::MaxKey,
            "dec": "1.5".parse::<bson::Decimal128>().unwrap(),
        };
        let expected = concat!(
            r#"{"d":1.0,"big":1e300,"nan":{"$numberDouble":"NaN"},"inf":{"$numberDouble":"-Infinity"},"#,
            r#""s":"q\"\\\n\u0001é","o":{"a":{}},"l":[1,[],null],"#,
            r#""b":{"$binary":{"base64":"AQIDBA==","subType":"04"}},"t":true,"#,
            r#""id":{"$oid":"abababababababababababab"},"at":{"$date":"2012-12-24T12:15:30.501Z"},"#,
            r#""old":{"$date":{"$numberLong":"-1"}},"far":{"$date":{"$numberLong":"253402300800000"}},"#,
            r#""i":-9223372036854775808,"ts":{"$timestamp":{"t":4,"i":5}},"#,
            r#""re":{"$regularExpression":{"pattern":"a\"b","options":"i"}},"js":{"$code":"f()"},"sy":{"$symbol":"s"},"#,
            r#""sc":{"$code":"g","$scope":{"x":1}},"u":{"$undefined":true},"min":{"$minKey":1},"max":{"$maxKey":1},"#,
            r#""dec":{"$numberDecimal":"1.5"}}"#,
        );
        assert_eq!(shown(&document), expected);
    }

    #[test]
    fn a_db_pointer_is_read_from_its_bytes() {
        let mut bytes = vec![0, 0, 0, 0, 0x0c, b'p', 0, 2, 0, 0, 0, b'n', 0];
        bytes.extend([0xcd; 12]);
        bytes.push(0);
        bytes[0] = u8::try_from(bytes.len()).unwrap();
        let document = RawDocumentBuf::from_bytes(bytes).unwrap();
        let expected = r#"{"p":{"$dbPointer":{"$ref":"n","$id":{"$oid":"cdcdcdcdcdcdcdcdcdcdcdcd"}}}}"#;
        assert_eq!(shown(&document), expected);
    }

    #[test]
    fn every_cut_is_a_prefix_on_a_character_boundary() {
        let document = rawdoc! {
            "text": "\u{1f980}caf\u{e9}\n\"", "bin": Binary { subtype: BinarySubtype::Generic, bytes: vec![7; 100] },
            "list": [1, { "a": "b" }],
        };
        let whole = shown(&document);
        for max_len in 0..whole.len() + 3 {
            let cut = LogDocument::new(&document, max_len).to_string();
            if max_len >= whole.len() {
                assert_eq!(cut, whole);
                continue;
            }
            let text = cut.strip_suffix("...").unwrap();
            assert!(whole.starts_with(text), "{cut}");
            assert!(text.len() <= max_len && text.len() + 4 > max_len, "{} of {max_len}", text.len());
        }
    }

    #[test]
    fn the_work_is_bounded_by_what_is_shown() {
        let large = rawdoc! { "b": Binary { subtype: BinarySubtype::Generic, bytes: vec![0; 30 << 20] } };
        assert_eq!(LogDocument::new(&large, 1000).to_string().len(), 1003);
        let mut deep = RawDocumentBuf::new();
        for _ in 0..5_000 {
            let mut outer = RawDocumentBuf::new();
            outer.append(cstr!(""), deep);
            deep = outer;
        }
        assert!(shown(&deep).ends_with("..."));
    }

    #[test]
    fn bytes_that_are_no_document_end_the_text() {
        let broken = RawDocumentBuf::from_bytes(vec![9, 0, 0, 0, 0x10, b'a', 0, 1, 0]).unwrap();
        assert_eq!(shown(&broken), "{<invalid>");
    }

    #[test]
    fn the_environment_may_set_the_bound() {
        assert_eq!(max_log_document_len(Some("5")), 5);
        for text in [None, Some(""), Some("-1"), Some("x")] {
            assert_eq!(max_log_document_len(text), 1000);
        }
    }
}
