//! The command line of tug.

fn main() {}
