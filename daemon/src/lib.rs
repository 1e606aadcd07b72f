//! The program around a replica: sockets, threads, clocks, entropy and files. A replica decides,
//! and all of the world it knows comes and goes through here.

pub mod args;
pub mod attempt;
pub mod cards;
pub mod client;
pub mod clock;
pub mod commands;
pub mod connection;
pub mod demo;
pub mod dial;
pub mod disk;
pub mod drive;
pub mod endpoint;
pub mod enrol;
pub mod http;
pub mod lan;
pub mod link;
pub mod netlink;
pub mod network;
mod news;
pub mod node;
mod notice;
pub mod officers;
pub mod people;
pub mod places;
pub mod prelist;
mod proof;
pub mod qr;
pub mod quic;
pub mod render;
pub mod repair;
pub mod run;
pub mod sheet;
pub mod survey;
pub mod tcp;
pub mod tls;
pub mod verbs;
