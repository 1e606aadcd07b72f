//! What several test files need: a world of replicas in one process, driven by the same four verbs
//! as the daemon, with real stores in memory and links that can be cut. No threads, no sockets.

pub mod world;
