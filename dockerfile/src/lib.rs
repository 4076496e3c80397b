//! The Dockerfile language: text to syntax tree to instructions. Pure functions over text.
