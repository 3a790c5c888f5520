//! A Discord gateway in a process.
