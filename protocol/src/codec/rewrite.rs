//! One pass over an encoded document, which may change it.

use super::ConversionError;

/// Documents nest no deeper than servers allow, with room to spare.
const DEEPEST: usize = 256;

/// What a pass changes.
pub(super) trait Rule {
    /// Appends a text or a name, without its end.
    fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(text);
    }

    /// `out` holds a value of the type `kind` from `at` on. Changes it if need be, and returns its type.
    fn value(&self, kind: u8, out: &mut Vec<u8>, at: usize) -> Result<u8, ConversionError> {
        let _ = (out, at);
        Ok(kind)
    }
}

/// Which values of a document a pass is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of them.
    Everything,
    /// None: they stay as they are.
    Nothing,
    /// Of a command, what comes from the application.
    Command,
    /// The same of each statement of an update, a delete or a bulk write.
    Statements,
    /// The same of one of them.
    Statement,
    /// Of an event of a change stream, what comes from the collection.
    Event,
}

impl Reach {
    /// The reach into the value called `name`, the element number `index` of its document.
    fn into_element(self, name: &[u8], index: usize) -> Self {
        match (self, name) {
            (Self::Everything, _) => Self::Everything,
            (Self::Nothing, _) => Self::Nothing,
            (Self::Statements, _) => Self::Statement,
            (Self::Command, b"explain") if index == 0 => Self::Command,
            // The name of the command, with that of the collection.
            (Self::Command, _) if index == 0 => Self::Nothing,
            (Self::Command, b"updates" | b"deletes") => Self::Statements,
            (
                Self::Command,
                b"filter" | b"query" | b"update" | b"documents" | b"arrayFilters" | b"pipeline" | b"let" | b"min"
                | b"max",
            )
            | (
                Self::Statement,
                b"q" | b"u" | b"c" | b"arrayFilters" | b"filter" | b"updateMods" | b"constants" | b"document",
            )
            | (Self::Event, b"fullDocument" | b"fullDocumentBeforeChange" | b"documentKey" | b"updateDescription") => {
                Self::Everything
            }
            (Self::Command | Self::Statement | Self::Event, _) => Self::Nothing,
        }
    }
}

/// The document as `rule` has it.
pub(super) fn rewrite(document: &[u8], reach: Reach, rule: &impl Rule) -> Result<Vec<u8>, ConversionError> {
    let mut out = Vec::with_capacity(document.len());
    Pass { rest: document, out: &mut out, rule }.document(reach, 0)?;
    Ok(out)
}

struct Pass<'a, R> {
    rest: &'a [u8],
    out: &'a mut Vec<u8>,
    rule: &'a R,
}

type Done<T = ()> = Result<T, ConversionError>;

impl<'a, R: Rule> Pass<'a, R> {
    fn take(&mut self, count: usize) -> Done<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ConversionError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn copy(&mut self, count: usize) -> Done {
        let bytes = self.take(count)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn length(&mut self) -> Done<usize> {
        let bytes = self.take(4)?.first_chunk().ok_or(ConversionError::Malformed)?;
        usize::try_from(i32::from_le_bytes(*bytes)).map_err(|_| ConversionError::Malformed)
    }

    /// Writes what `inner` writes behind its length, which counts itself if `whole`.
    fn measured(&mut self, whole: bool, inner: impl FnOnce(&mut Self) -> Done) -> Done {
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        inner(self)?;
        let from = if whole { at } else { at + 4 };
        let length = i32::try_from(self.out.len() - from).map_err(|_| ConversionError::Malformed)?;
        self.out[at..at + 4].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) {
        self.rule.text(bytes, self.out);
        self.out.push(0);
    }

    /// A text that ends with its first NUL.
    fn name(&mut self) -> Done<&'a [u8]> {
        let length = self.rest.iter().position(|byte| *byte == 0).ok_or(ConversionError::Malformed)?;
        let (text, _nul) = self.take(length + 1)?.split_at(length);
        self.text(text);
        Ok(text)
    }

    /// A text with its length before it.
    fn string(&mut self) -> Done {
        let length = self.length()?;
        match self.take(length)?.split_last() {
            Some((0, text)) => self.measured(false, |pass| {
                pass.text(text);
                Ok(())
            }),
            _ => Err(ConversionError::Malformed),
        }
    }

    fn document(&mut self, reach: Reach, depth: usize) -> Done {
        if depth >= DEEPEST {
            return Err(ConversionError::Malformed);
        }
        self.length()?;
        self.measured(true, |pass| {
            for index in 0.. {
                let kind_at = pass.out.len();
                pass.copy(1)?;
                let kind = pass.out[kind_at];
                if kind == 0 {
                    break;
                }
                let name = pass.name()?;
                let kind = pass.element(kind, reach.into_element(name, index), depth);
                pass.out[kind_at] = kind.map_err(|error| error.within(name))?;
            }
            Ok(())
        })
    }

    /// A value, changed if it is to be. Returns its type.
    fn element(&mut self, kind: u8, reach: Reach, depth: usize) -> Done<u8> {
        let at = self.out.len();
        self.value(kind, reach, depth)?;
        match reach {
            Reach::Everything => self.rule.value(kind, self.out, at),
            _ => Ok(kind),
        }
    }

    fn value(&mut self, kind: u8, reach: Reach, depth: usize) -> Done {
        match kind {
            0x02 | 0x0d | 0x0e => self.string(),
            0x03 | 0x04 => self.document(reach, depth + 1),
            0x05 => {
                let length = self.rest.first_chunk().ok_or(ConversionError::Malformed)?;
                let length = usize::try_from(i32::from_le_bytes(*length)).map_err(|_| ConversionError::Malformed)?;
                self.copy(4 + 1 + length)
            }
            0x06 | 0x0a | 0x7f | 0xff => Ok(()),
            0x08 => self.copy(1),
            0x10 => self.copy(4),
            0x01 | 0x09 | 0x11 | 0x12 => self.copy(8),
            0x07 => self.copy(12),
            0x13 => self.copy(16),
            0x0b => {
                self.name()?;
                self.name().map(drop)
            }
            0x0c => {
                self.string()?;
                self.copy(12)
            }
            0x0f => {
                self.length()?;
                self.measured(true, |pass| {
                    pass.string()?;
                    pass.document(reach, depth + 1)
                })
            }
            _ => Err(ConversionError::Malformed),
        }
    }
}
