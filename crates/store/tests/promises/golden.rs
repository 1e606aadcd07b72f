//! A store of format version 1 as it was first written. It opens for ever.
