//! Data, no behaviour.
