//! Counters and histograms of one core.
