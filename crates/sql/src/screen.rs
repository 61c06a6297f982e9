//! Does any token name something protected or risky?
