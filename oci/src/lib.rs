//! The values of the OCI specifications: no I/O.
