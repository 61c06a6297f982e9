//! The lines that the demo prints, each a command to paste into another terminal.

/// One step: what happens, and the command.
pub struct Step {
    pub says: &'static str,
    pub user: &'static str,
    pub sql: &'static str,
}

/// The way of a request, from the first mask to the audit trail.
pub const STEPS: &[Step] = &[
    Step {
        says: "ada is an engineer. She may connect, and sees the shop; personal data comes out masked.",
        user: "ada",
        sql: "SELECT id, name, email, city FROM customers WHERE id IN (41, 42)",
    },
    Step {
        says: "Masks are what the database computes with, so a clever predicate finds nothing.",
        user: "ada",
        sql: "SELECT id, city FROM customers WHERE email LIKE '%@example.com'",
    },
    Step {
        says: "Some columns are refused outright; the error says how to ask.",
        user: "ada",
        sql: "SELECT name, blood FROM hr.employees",
    },
    Step {
        says: "She asks: which columns, which rows, why, for how long.",
        user: "ada",
        sql: "SELECT * FROM pgwarrant.request('customers.name, customers.email', rows => 'id = 42', \
              reason => 'ticket 4711: parcel came back', duration => '5 min')",
    },
    Step { says: "She can't approve that herself.", user: "ada", sql: "SELECT * FROM pgwarrant.approve(1)" },
    Step {
        says: "petra, of the privacy team, looks at what is asked and approves.",
        user: "petra",
        sql: "SELECT id, who, columns, rows, reason, duration FROM pgwarrant.requests; \
              SELECT * FROM pgwarrant.approve(1)",
    },
    Step {
        says: "The same statement as before: customer 42 is shown, customer 41 stays masked.",
        user: "ada",
        sql: "SELECT id, name, email, city FROM customers WHERE id IN (41, 42)",
    },
    Step {
        says: "The task is done, so she gives the grant back; otherwise it ends by itself after 5 minutes.",
        user: "ada",
        sql: "SELECT * FROM pgwarrant.release(1); SELECT name, email FROM customers WHERE id = 42",
    },
    Step {
        says: "aud, the auditor, reads who saw what, and why.",
        user: "aud",
        sql: "SELECT seq, user_name, decision, masked, raw, statement FROM pgwarrant.audit \
              WHERE user_name = 'ada' AND kind = 'statement' ORDER BY seq",
    },
];

/// The command of a step, for a shell.
pub fn command(step: &Step, host: &str, port: u16) -> String {
    let sql: Vec<String> = step.sql.split("; ").map(|sql| format!("-c \"{sql}\"")).collect();
    let Step { user, .. } = step;
    format!("psql \"host={host} port={port} dbname=shop user={user} password={user}-demo\" {}", sql.join(" "))
}
