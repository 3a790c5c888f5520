//! What no gateway should send: typed errors or pass-through, the session kept, memory bounded.
