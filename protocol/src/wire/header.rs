//! The header that every message begins with.

use std::ops::BitOr;

use super::{HEADER_LEN, WireError};

/// What kind of message follows the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpCode {
    /// `OP_REPLY`: the answer to a legacy query.
    Reply,
    /// `OP_QUERY`: the legacy query.
    Query,
    /// `OP_COMPRESSED`: a message in compressed form.
    Compressed,
    /// `OP_MSG`: every command and reply.
    Msg,
}

impl OpCode {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            Self::Reply => 1,
            Self::Query => 2004,
            Self::Compressed => 2012,
            Self::Msg => 2013,
        }
    }
}

impl TryFrom<i32> for OpCode {
    type Error = WireError;

    fn try_from(op_code: i32) -> Result<Self, WireError> {
        match op_code {
            1 => Ok(Self::Reply),
            2004 => Ok(Self::Query),
            2012 => Ok(Self::Compressed),
            2013 => Ok(Self::Msg),
            _ => Err(WireError::UnknownOpCode { op_code }),
        }
    }
}

/// The first 16 bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole message, this header included.
    pub message_length: i32,
    /// The sender's number for this message.
    pub request_id: i32,
    /// The number of the request that this message answers; 0 in requests.
    pub response_to: i32,
    /// What follows.
    pub op_code: OpCode,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// [`WireError::LengthOutOfRange`] unless the announced length is within `HEADER_LEN..=max_message_size`, and
    /// [`WireError::UnknownOpCode`].
    pub fn read(bytes: &[u8; HEADER_LEN], max_message_size: usize) -> Result<Self, WireError> {
        let message_length = int32(bytes, 0);
        match usize::try_from(message_length) {
            Ok(length) if (HEADER_LEN..=max_message_size).contains(&length) => {}
            _ => {
                return Err(WireError::LengthOutOfRange {
                    length: message_length,
                    min: HEADER_LEN,
                    max: max_message_size,
                });
            }
        }
        let op_code = OpCode::try_from(int32(bytes, 12))?;
        Ok(Self { message_length, request_id: int32(bytes, 4), response_to: int32(bytes, 8), op_code })
    }

    /// Appends the header's bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let fields = [self.message_length, self.request_id, self.response_to, self.op_code.code()];
        out.extend_from_slice(fields.map(i32::to_le_bytes).as_flattened());
    }

    /// The message's length.
    pub(crate) fn len(&self) -> usize {
        // Not negative: `read` has checked it.
        usize::try_from(self.message_length).unwrap_or(HEADER_LEN)
    }
}

/// The four bytes at `position`, which must be inside.
fn int32(bytes: &[u8; HEADER_LEN], position: usize) -> i32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[position..position + 4]);
    i32::from_le_bytes(number)
}

/// The flag bits of an OP_MSG message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageFlags(u32);

impl MessageFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// The message ends in a CRC-32C checksum.
    pub const CHECKSUM_PRESENT: Self = Self(1);
    /// On a request: no reply is wanted. On a reply: another reply follows without a request.
    pub const MORE_TO_COME: Self = Self(1 << 1);
    /// On a request: several replies are welcome.
    pub const EXHAUST_ALLOWED: Self = Self(1 << 16);

    /// The bits whose meaning a receiver must know.
    const REQUIRED: u32 = 0xffff;

    /// Takes flag bits from a message. Unknown optional bits are ignored, as the specification demands.
    ///
    /// # Errors
    /// [`WireError::UnknownRequiredFlags`].
    pub fn from_wire(bits: u32) -> Result<Self, WireError> {
        let known = Self::CHECKSUM_PRESENT.0 | Self::MORE_TO_COME.0;
        match bits & Self::REQUIRED & !known {
            0 => Ok(Self(bits & (known | Self::EXHAUST_ALLOWED.0))),
            flags => Err(WireError::UnknownRequiredFlags { flags }),
        }
    }

    /// The bits on the wire.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether the message ends in a checksum.
    pub const fn checksum_present(self) -> bool {
        self.0 & Self::CHECKSUM_PRESENT.0 != 0
    }

    /// Whether no reply is wanted, or another one follows.
    pub const fn more_to_come(self) -> bool {
        self.0 & Self::MORE_TO_COME.0 != 0
    }

    /// Whether several replies are welcome.
    pub const fn exhaust_allowed(self) -> bool {
        self.0 & Self::EXHAUST_ALLOWED.0 != 0
    }
}

impl BitOr for MessageFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_wire() {
        let header = Header { message_length: 100, request_id: -7, response_to: i32::MAX, op_code: OpCode::Msg };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        assert_eq!(Header::read(bytes.first_chunk().unwrap(), 100).unwrap(), header);
    }

    #[test]
    fn the_length_is_checked_before_anything_else() {
        for length in [0, 15, -1, i32::MIN, 101, i32::MAX] {
            let header = Header { message_length: length, request_id: 1, response_to: 1, op_code: OpCode::Msg };
            let mut bytes = Vec::new();
            header.write(&mut bytes);
            let error = Header::read(bytes.first_chunk().unwrap(), 100).unwrap_err();
            assert_eq!(error, WireError::LengthOutOfRange { length, min: 16, max: 100 });
        }
    }

    #[test]
    fn unknown_codes_and_required_flags_are_refused() {
        assert_eq!(OpCode::try_from(2010), Err(WireError::UnknownOpCode { op_code: 2010 }));
        for op_code in [OpCode::Reply, OpCode::Query, OpCode::Compressed, OpCode::Msg] {
            assert_eq!(OpCode::try_from(op_code.code()), Ok(op_code));
        }
        assert_eq!(MessageFlags::from_wire(0b1110), Err(WireError::UnknownRequiredFlags { flags: 0b1100 }));
        let flags = MessageFlags::from_wire(0xfff1_0003).unwrap();
        assert!(flags.checksum_present() && flags.more_to_come() && flags.exhaust_allowed());
        assert_eq!(flags.bits(), 0x0001_0003);
        assert_eq!(MessageFlags::from_wire(0xfffe_0000), Ok(MessageFlags::NONE));
    }
}
