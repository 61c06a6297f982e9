// node-postgres through the proxy: masked, then granted, then masked again, on the same statements.
//
// Usage: node_grants.js PORT CA_FILE    (run in the directory that holds node_modules/pg)
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const { Client } = createRequire(process.cwd() + '/')('pg');

const [port, caFile] = process.argv.slice(2);
const connect = async (user) => {
  const client = new Client({
    host: 'localhost', port: Number(port), database: 'shop', user, password: `${user}-demo`,
    ssl: { ca: fs.readFileSync(caFile, 'utf8') },
  });
  client.notices = [];
  client.on('notice', (notice) => client.notices.push(notice.message));
  await client.connect();
  return client;
};

const simple = 'SELECT id, email, phone FROM customers WHERE id = 42';
const byId = 'SELECT id, email, phone FROM customers WHERE id = $1';
const ways = async (client) => [
  (await client.query(simple)).rows,
  (await client.query(byId, [42])).rows,
  (await client.query({ name: 'by-id', text: byId, values: [42] })).rows,
  (await client.query({ text: byId, values: [42], binary: true })).rows,
  (await client.query({ name: 'by-id-binary', text: byId, values: [42], binary: true })).rows,
];
const each = (results, test) => results.every((rows) => rows.length === 1 && test(rows[0]));
const masked = (row) => !row.email.includes('@example') && !row.phone.startsWith('+1-555-0142-0042');
const raw = (row) => row.email.includes('@example') && row.phone === '+1-555-0142-0042';

(async () => {
  const ada = await connect('ada');
  const petra = await connect('petra');
  assert(each(await ways(ada), masked), 'masked before');
  assert(ada.notices.some((text) => text.includes('masked')), 'a notice says so');

  const request = (await ada.query(
    "SELECT * FROM pgwarrant.request($1, rows => $2, reason => $3)",
    ['customers.email, customers.phone', 'id = 42', "it's ticket 2"])).rows[0];
  assert.strictEqual(request.state, 'pending');
  await assert.rejects(ada.query('SELECT * FROM pgwarrant.approve($1)', [request.request_id]), { code: '42501' });
  await petra.query('SELECT * FROM pgwarrant.approve($1)', [request.request_id]);
  assert(each(await ways(ada), raw), 'granted');

  await assert.rejects(ada.query("UPDATE customers SET email = 'x' WHERE id = 42"), { code: '42501' });
  await ada.query('BEGIN');
  await assert.rejects(ada.query('SELECT blood FROM hr.employees'), { code: '42501' });
  await assert.rejects(ada.query('SELECT 1'), { code: '25P02' });
  await ada.query('ROLLBACK');

  const grant = (await petra.query("SELECT id FROM pgwarrant.grants WHERE state = 'live'")).rows[0].id;
  await petra.query('SELECT * FROM pgwarrant.revoke($1)', [grant]);
  assert(each(await ways(ada), masked), 'masked after');
  await ada.end();
  await petra.end();
  console.log('all checks passed');
})().catch((error) => { console.error(error); process.exit(1); });
