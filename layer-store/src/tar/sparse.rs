//! Sparse files: a map says which pieces of the file the archive holds; between them are zeros.
//!
//! There are four ways to write one (GNU manual, "Storing Sparse Files"): the old GNU header with type `S`, and the
//! PAX versions 0.0 (a record for each number), 0.1 (one record with all) and 1.0 (the map stands before the data).
//! We read all of them and write none.

use super::pax;

/// A piece of a sparse file that the archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// How long it is.
    pub(crate) length: u64,
}

/// A whole map, known to be good: pieces in order, none beyond the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SparseMap {
    pub(crate) segments: Vec<Segment>,
    /// The length of the file, holes included.
    pub(crate) size: u64,
}

impl SparseMap {
    /// `None` when pieces overlap, are out of order, lie beyond the end, or do not add up to what is stored.
    pub(crate) fn new(segments: Vec<Segment>, size: u64, stored: u64) -> Option<Self> {
        let mut end = 0_u64;
        let mut sum = 0_u64;
        for segment in &segments {
            if segment.offset < end {
                return None;
            }
            end = segment.offset.checked_add(segment.length)?;
            sum = sum.checked_add(segment.length)?;
        }
        (end <= size && sum == stored).then_some(Self { segments, size })
    }
}

/// What the PAX records of an entry say about its map.
#[derive(Debug, Default)]
pub(super) struct SparseRecords {
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    major: Option<u64>,
    minor: Option<u64>,
    count: Option<u64>,
    offset: Option<u64>,
    listed: Vec<Segment>,
    map: Option<Vec<Segment>>,
}

/// Where the map of an entry is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Map {
    /// It is no sparse file.
    None,
    /// In the records.
    Known(Vec<Segment>),
    /// Before the data (version 1.0).
    BeforeData,
}

impl SparseRecords {
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let number = || pax::decimal(value).ok_or("a number of a sparse file is no number");
        match key {
            b"name" => pax::once(&mut self.name, pax::whole_text(value)?),
            b"size" | b"realsize" => pax::once(&mut self.real_size, number()?),
            b"major" => pax::once(&mut self.major, number()?),
            b"minor" => pax::once(&mut self.minor, number()?),
            b"numblocks" => pax::once(&mut self.count, number()?),
            b"map" => {
                pax::once(&mut self.map, pax::segments(value).ok_or("the map of a sparse file is malformed")?)
            }
            b"offset" => match self.offset.replace(number()?) {
                None => Ok(()),
                Some(_) => Err("the map of a sparse file is malformed"),
            },
            b"numbytes" => {
                let offset = self.offset.take().ok_or("the map of a sparse file is malformed")?;
                self.listed.push(Segment { offset, length: number()? });
                Ok(())
            }
            _ => Err("it describes a sparse file in an unknown way"),
        }
    }

    /// Decides which of the versions it is.
    pub(super) fn map(&mut self) -> Result<Map, &'static str> {
        let is_silent = self.name.is_none() && self.real_size.is_none() && self.count.is_none();
        match (self.major, self.minor) {
            (None, None) => {}
            (Some(1), Some(0))
                if self.map.is_none() && self.listed.is_empty() && self.real_size.is_some() =>
            {
                return Ok(Map::BeforeData);
            }
            (Some(0), Some(0 | 1)) => {}
            _ => return Err("it is a sparse file of an unknown version"),
        }
        if self.offset.is_some() {
            return Err("the map of a sparse file is malformed");
        }
        let segments = match self.map.take() {
            Some(map) if self.listed.is_empty() => map,
            None if !self.listed.is_empty() || self.count.is_some() => std::mem::take(&mut self.listed),
            None if is_silent && self.major.is_none() => return Ok(Map::None),
            _ => return Err("the map of a sparse file is missing"),
        };
        let agrees = self.count.is_none_or(|count| count == segments.len() as u64);
        if !agrees || self.real_size.is_none() {
            return Err("the map of a sparse file is incomplete");
        }
        Ok(Map::Known(segments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(offset: u64, length: u64) -> Segment {
        Segment { offset, length }
    }

    #[test]
    fn a_map_is_in_order_inside_the_file_and_adds_up() {
        let good = vec![segment(0, 10), segment(20, 5), segment(100, 0)];
        assert!(SparseMap::new(good.clone(), 100, 15).is_some());
        assert!(SparseMap::new(good.clone(), 99, 15).is_none(), "beyond the end");
        assert!(SparseMap::new(good, 100, 14).is_none(), "does not add up");
        assert!(SparseMap::new(vec![segment(5, 10), segment(0, 5)], 100, 15).is_none(), "out of order");
        assert!(SparseMap::new(vec![segment(0, 10), segment(9, 1)], 100, 11).is_none(), "overlapping");
        assert!(SparseMap::new(vec![segment(u64::MAX, 2)], u64::MAX, 2).is_none(), "overflow");
    }

    #[test]
    fn the_versions_of_pax_are_told_apart() {
        let map = |records: &[(&str, &str)]| {
            let mut sparse = SparseRecords::default();
            for (key, value) in records {
                sparse.take(key.as_bytes(), value.as_bytes())?;
            }
            sparse.map()
        };
        assert_eq!(map(&[]), Ok(Map::None));
        let listed = [("size", "9"), ("numblocks", "1"), ("offset", "3"), ("numbytes", "6")];
        assert_eq!(map(&listed), Ok(Map::Known(vec![segment(3, 6)])));
        assert_eq!(map(&listed[..3]), Err("the map of a sparse file is malformed"));
        assert_eq!(
            map(&[("size", "9"), ("map", "0,1,3,6")]),
            Ok(Map::Known(vec![segment(0, 1), segment(3, 6)]))
        );
        assert_eq!(
            map(&[("major", "1"), ("minor", "0"), ("realsize", "9"), ("name", "x")]),
            Ok(Map::BeforeData)
        );
        for partial in
            [&[("major", "1")][..], &[("name", "x")], &[("map", "0,1")], &[("map", "0,1,2"), ("size", "9")]]
        {
            assert!(map(partial).is_err(), "{partial:?}");
        }
    }
}
