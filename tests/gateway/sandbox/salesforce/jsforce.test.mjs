// The simulated org as jsforce sees it. test_clients.py runs this with the org's address
// in SALESFORCE_URL; the org has an app "jsforce" that asks for PKCE.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import jsforce from 'jsforce';

const url = String(process.env.SALESFORCE_URL);
const redirectUri = 'https://gw.example/oauth/callback';
const KEY = 'Ringbridge_Key__c';
const version = '66.0';

/** @type {jsforce.Connection} */
let connection;

const control = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {unknown} */ body) => {
  const headers = { 'Content-Type': 'application/json' };
  const reply = await fetch(`${url}/sandbox/${path}`, { method, headers, body: JSON.stringify(body) });
  assert.ok(reply.ok, `${method} ${path}: ${reply.status}`);
  return reply.status === 204 ? null : reply.json();
};

/** Go through the pages of the org as Robin, back to the app with a code. */
const signIn = async (/** @type {string} */ authorizationUrl) => {
  let cookie = '';
  let reply = await fetch(authorizationUrl, { redirect: 'manual' });
  for (const button of ['user', 'decision']) {
    const page = await reply.text();
    const id = /name="request" value="([^"]+)"/.exec(page)?.[1] ?? '';
    const value = button === 'user' ? /value="([^"]+)">Robin/.exec(page)?.[1] ?? '' : 'allow';
    reply = await fetch(`${url}/services/oauth2/authorize`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie },
      body: new URLSearchParams({ request: id, [button]: value }),
    });
    cookie ||= (reply.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  }
  assert.equal(reply.status, 302);
  return new URL(reply.headers.get('location') ?? '');
};

before(async () => {
  const oauth2 = new jsforce.OAuth2({
    loginUrl: url, clientId: 'jsforce', clientSecret: 'jsforce-secret', redirectUri, useVerifier: true,
  });
  const back = await signIn(oauth2.getAuthorizationUrl({ scope: 'api id refresh_token openid', state: 's1' }));
  assert.equal(back.searchParams.get('state'), 's1');
  connection = new jsforce.Connection({ oauth2, version });
  const user = await connection.authorize(String(back.searchParams.get('code')), {
    code_verifier: oauth2.codeVerifier,
  });
  assert.match(user.id, /^005/);
  assert.match(user.organizationId, /^00D/);
});

test('who one is', async () => {
  const identity = await connection.identity();
  assert.equal(identity.username, 'robin.reyes@acme.example');
  assert.equal(identity.user_id, connection.userInfo?.id);
  const bare = new jsforce.Connection({
    instanceUrl: connection.instanceUrl, accessToken: String(connection.accessToken), version,
  });
  assert.equal((await bare.identity()).organization_id, connection.userInfo?.organizationId);
});

test('query in pages', async () => {
  await control('PATCH', 'settings', { query_batch_size: 3 });
  let page = await connection.query('SELECT Id, Name, Account.Name FROM Contact ORDER BY Name');
  const names = page.records.map((row) => row.Name);
  while (!page.done) {
    page = await connection.queryMore(String(page.nextRecordsUrl));
    names.push(...page.records.map((row) => row.Name));
  }
  assert.equal(names.length, page.totalSize);
  assert.ok(names.length > 3);
  // The same by itself, as a stream.
  const all = await connection.query('SELECT Name FROM Contact ORDER BY Name').run({ autoFetch: true, maxFetch: 100 });
  assert.deepEqual(all.records.map((row) => row.Name), names);
  await control('PATCH', 'settings', { query_batch_size: 2000 });
});

test('its own query language', async () => {
  const rows = await connection.sobject('Contact')
    .find({ LastName: { $in: ['Ruiz', "O'Hara"] }, CreatedDate: jsforce.Date.TODAY }, ['Id', 'Name', 'Account.Name'])
    .sort({ Name: -1 })
    .limit(5);
  assert.deepEqual(rows.map((row) => [row.Name, row.Account?.Name]), [['Ana Ruiz', 'Acme Corp']]);
  assert.equal(await connection.sobject('Lead').count({ IsConverted: false }), 1);
});

test('search', async () => {
  const found = await connection.search('FIND {6465550175} IN PHONE FIELDS RETURNING Contact(Id, Name), Lead(Id)');
  assert.deepEqual(found.searchRecords.map((row) => row.Name), ['Ana Ruiz']);
  await assert.rejects(connection.search('FIND {*1} RETURNING Contact'), { errorCode: 'MALFORMED_SEARCH' });
});

test('describe', async () => {
  const org = await connection.describeGlobal();
  assert.ok(org.sobjects.some((one) => one.name === 'Task' && one.keyPrefix === '00T'));
  const task = await connection.sobject('Task').describe();
  const field = task.fields.find((one) => one.name === 'CallType');
  assert.deepEqual(field?.picklistValues?.map((one) => one.value), ['Internal', 'Inbound', 'Outbound']);
  const layouts = await connection.sobject('Contact').layouts();
  assert.equal(layouts.recordTypeMappings.length, 1);
  assert.equal(task.recordTypeInfos[0]?.developerName, 'Master');
});

test('rows come and go', async () => {
  const contacts = connection.sobject('Contact');
  const made = await contacts.create({ FirstName: 'Jo', LastName: 'Force' });
  assert.ok(made.success && made.id);
  const changed = await contacts.update({ Id: made.id, Title: 'Library' });
  assert.deepEqual(changed, { id: made.id, success: true, errors: [] });
  assert.equal((await contacts.retrieve(made.id)).Name, 'Jo Force');
  assert.equal((await contacts.destroy(made.id)).success, true);
  await assert.rejects(contacts.retrieve(made.id), { errorCode: 'ENTITY_IS_DELETED' });
});

test('many rows at once', async () => {
  const contacts = connection.sobject('Contact');
  const made = await contacts.create([{ LastName: 'One' }, { FirstName: 'Two' }, { LastName: 'Three' }]);
  assert.deepEqual(made.map((one) => one.success), [true, false, true]);
  const wrong = made[1];
  assert.ok(wrong && !wrong.success);
  assert.equal(wrong.errors[0]?.errorCode ?? wrong.errors[0]?.statusCode, 'REQUIRED_FIELD_MISSING');
  const ids = made.flatMap((one) => (one.success ? [one.id] : []));
  const rows = await contacts.retrieve(ids, { fields: ['Id', 'LastName'] });
  assert.deepEqual(rows.map((row) => row.LastName), ['One', 'Three']);
  const changed = await contacts.update(ids.map((id) => ({ Id: id, Title: 'T' })), { allOrNone: true });
  assert.ok(changed.every((one) => one.success));
  assert.ok((await contacts.destroy(ids)).every((one) => one.success));
});

test('upsert by external id', async () => {
  const tasks = connection.sobject('Task');
  const first = await tasks.upsert({ [KEY]: 'call:js 1', Subject: 'Call' }, KEY);
  assert.ok(first.success);
  const second = await tasks.upsert({ [KEY]: 'call:js 1', Subject: 'Call again' }, KEY);
  assert.ok(second.success && second.id === first.id);
  const both = await tasks.upsert([{ [KEY]: 'call:js 1', Subject: 'x' }, { [KEY]: 'call:js 3', Subject: 'y' }], KEY);
  assert.deepEqual(both.map((one) => one.success), [true, true]);
  assert.equal((await connection.query(`SELECT Id FROM Task WHERE ${KEY} LIKE 'call:js%'`)).totalSize, 2);
});

test('duplicates are told, and may be saved on purpose', async () => {
  const ana = { FirstName: 'Ana', LastName: 'Ruiz', Phone: '+1 646 555 0175' };
  await assert.rejects(connection.sobject('Contact').create(ana), (/** @type {any} */ error) => {
    assert.equal(error.errorCode, 'DUPLICATES_DETECTED');
    assert.match(error.data.duplicateResult.matchResults[0].matchRecords[0].record.Id, /^003/);
    return true;
  });
  const made = await connection.sobject('Contact').create(ana, {
    headers: { 'Sforce-Duplicate-Rule-Header': 'allowSave=true' },
  });
  assert.ok(made.success);
});

test('limits', async () => {
  await control('PUT', 'usage', { api_calls: 41 });
  const limits = await connection.limits();
  assert.equal(limits.DailyApiRequests?.Remaining, 100_000 - 42);
  assert.deepEqual(connection.limitInfo, { apiUsage: { used: 42, limit: 100_000 } });
});

test('the session expires and is renewed once', async () => {
  const before = connection.accessToken;
  await control('DELETE', 'sessions');
  const several = await Promise.all([1, 2, 3].map(() => connection.query('SELECT Id FROM Lead')));
  assert.ok(several.every((page) => page.totalSize === 1));
  assert.notEqual(connection.accessToken, before);
  const asked = await control('GET', 'journal?method=POST&path=oauth2/token');
  assert.equal(asked.length, 2);
});

test('refusals', async () => {
  await assert.rejects(connection.query('SELECT nonsense'), { errorCode: 'MALFORMED_QUERY' });
  await control('POST', 'faults', { kind: 'request_limit_exceeded' });
  await assert.rejects(connection.query('SELECT Id FROM Lead'), { errorCode: 'REQUEST_LIMIT_EXCEEDED' });
});

test('a moment of maintenance is sat out', async () => {
  await control('POST', 'faults', { kind: 'maintenance' });
  assert.equal((await connection.query('SELECT Id FROM Lead')).totalSize, 1);
  const asked = await control('GET', 'journal?path=query');
  assert.deepEqual(asked.slice(-2).map((/** @type {any} */ one) => one.status), [503, 200]);
});

test('signed out, nothing works any more', async () => {
  await connection.logoutByOAuth2(true);
  await assert.rejects(connection.query('SELECT Id FROM Lead'));
});
