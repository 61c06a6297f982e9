//! The catalogue against a real server: what the snapshot queries read, and what is made of it.

mod changes;
mod database;
mod functions;
mod naming;
mod relations;
mod system;
mod types;
mod upstream;
