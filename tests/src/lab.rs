//! The laboratory: the real program on links as bad as those of the field. Two network namespaces, one
//! of a phone and one of the district, are joined by two TUN devices, and between these a seeded shaper
//! loses, delays and holds back packets of whatever protocol. Simulated time is the business of the
//! world; here it is the wall clock's, and what is measured is printed, never asserted.

pub mod gateway;
pub mod hall;
pub mod lane;
pub mod machine;
pub mod measured;
pub mod namespace;
pub mod outage;
pub mod pair;
pub mod profile;
pub mod rebound;
pub mod rest;
pub mod scene;
pub mod tunnel;
