//! Vectors in BSON. The `bson` crate refuses bits that are to be ignored and are not zero, as the specification prefers.

use mongo_actors::bson::{
    Binary,
    binary::{PackedBitVector, Vector},
    spec::BinarySubtype,
};

fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Vector, bytes: bytes.to_vec() }
}

#[test]
fn bson_binary_vector_1_encoding_refuses_ignored_bits_that_are_set() {
    PackedBitVector::new(vec![0b1111_1111], 7).unwrap_err();
}

#[test]
fn bson_binary_vector_2_decoding_refuses_ignored_bits_that_are_set() {
    Vector::try_from(&binary(b"\x10\x07\xff")).unwrap_err();
}

#[test]
fn bson_binary_vector_3_vectors_of_the_same_bits_are_the_same() {
    let (zeros, ones) = (binary(b"\x10\x07\x80"), binary(b"\x10\x07\xff"));
    let made = Vector::PackedBit(PackedBitVector::new(vec![0b1000_0000], 7).unwrap());
    assert_ne!(zeros, ones);
    assert_eq!(zeros, Binary::from(&made));
    assert_eq!(Vector::try_from(&zeros).unwrap(), made);
}
