//! Every mask on every type that it fits, evaluated by a real PostgreSQL.

mod attacks;
mod constants;
mod kinds;
mod random;
mod server;
mod tokens;
mod values;
