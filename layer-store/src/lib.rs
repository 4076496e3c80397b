//! The content-addressed store of blobs, layers, references and build records.
