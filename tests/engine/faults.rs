//! Every fault that the gateway can commit: the right reconnect, and the ledger whole.
