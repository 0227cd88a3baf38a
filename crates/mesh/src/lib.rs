//! Carries messages between the nodes of a cluster on zenoh; decides nothing.
