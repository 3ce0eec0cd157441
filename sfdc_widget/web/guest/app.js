import { RingbridgeClient } from '../client/index.js';
import { TabStorage } from '../client/storage.js';
import { Sounds } from '../softphone/sounds.js';
import { Devices } from './devices.js';
import { GuestPage } from './guest-page.js';
import { browserSecret, InviteLink, tokenOf } from './link.js';
import { unfitness } from './platform.js';
import { SoundCheck } from './sound-check.js';

const token = tokenOf(location.pathname);
// Several links may be opened one after the other in one tab.
const storage = new TabStorage(`ringbridge.join.${token.slice(0, 8)}.`);
const link =
  token === ''
    ? null
    : new InviteLink({ base: new URL('../../', import.meta.url), token, browser: browserSecret() });
const client = new RingbridgeClient({
  name: 'ringbridge-guest',
  storage,
  accessToken: async () => {
    const name = storage.get('name');
    return link && name ? link.enter(name) : null;
  },
});
const devices = new Devices({ client, storage });
const sound = new SoundCheck((level, isHeard) => page.setLevel(level, isHeard));
const root = /** @type {HTMLElement} */ (document.getElementById('g-main'));
document.getElementById('g-too-old')?.remove();
const page = new GuestPage({
  root,
  link,
  client,
  storage,
  devices,
  sound,
  sounds: new Sounds(),
  unfit: unfitness(),
});
await page.start();
