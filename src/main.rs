//! The nano binary.

fn main() {}
