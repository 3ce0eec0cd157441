/** The window of a call: takes the session over from the phone's page, and gives it back. */
import { RingbridgeClient } from './client/index.js';
import { TabStorage } from './client/storage.js';
import { Bridge } from './video/bridge.js';
import { CallPage } from './video/call-page.js';
import { loadVideoWords } from './video/words.js';

await loadVideoWords();
// A window that a page of this origin opens begins with a copy of its storage.
const storage = new TabStorage('ringbridge.call.');
const page = new CallPage();
const bridge = new Bridge((token, order) => {
  if (order) page.perform(order);
  client.useToken(token);
});
const client = new RingbridgeClient({
  name: 'ringbridge-call-window',
  caps: ['call_window'],
  accessToken: () => bridge.freshToken(),
  storage,
});
page.client = client;
page.bridge = bridge;
document.body.append(page);
const isSignedIn = storage.get('access_token') !== null;
if (isSignedIn) await client.start();
bridge.start(client, isSignedIn);
