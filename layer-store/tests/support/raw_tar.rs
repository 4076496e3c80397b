//! Archives block by block, so that they can be wrong in any way.

pub(crate) use tug_testdata::raw_tar::*;
