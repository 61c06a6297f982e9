//! PostgreSQL's lexical structure, exact to `src/backend/parser/scan.l` with
//! `standard_conforming_strings` on.
