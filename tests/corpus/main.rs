//! The corpus: whole, as the documents say, and read whatever is done to it.
//!
//! `<KIND>[.<variant>].json` is a payload in the shape in which Discord sends it. `<KIND>.json` or
//! `<KIND>.whole.json` has every documented field; `<KIND>.bare.json` has null in every field that
//! may be null and none of the others that may be missing; `….sparse.json` is as bare but has
//! every object, and in `….absent.json` what may be null or missing is missing. Other variants
//! have what the documents tell of kinds (channels, components, options, changes), or what they do
//! not tell of yet (`unknown-…`). `schema.json` is the documents' digest.
//!
//! See `documents.rs`, `spoil.rs`, `nesting.rs`; `snapshots.rs` for what each payload decodes to.

#[path = "../support/corpus.rs"]
mod corpus;
mod documents;
mod nesting;
mod schema;
mod snapshots;
mod spoil;
