//! Images between a registry of the test's own and a store.

mod pull;
mod support;
