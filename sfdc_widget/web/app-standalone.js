import { RingbridgeClient } from './client/index.js';
import { loadConfig } from './hosts/adapter.js';
import { wantedInvite } from './hosts/launch.js';
import { standaloneHost } from './hosts/standalone.js';
import { windowed } from './video/windowed.js';
import { Softphone } from './softphone/softphone.js';
import { moreWords } from './softphone/strings.js';

const [config] = await Promise.all([loadConfig('standalone'), moreWords('start')]);
const softphone = new Softphone();
softphone.host = standaloneHost();
softphone.client = windowed(
  new RingbridgeClient({ name: 'ringbridge-standalone', keepsVideo: false, yields: true, observes: true }),
);
softphone.tenant = config.tenant ?? '';
if (config.sign_in?.length) softphone.ways = config.sign_in;
document.body.append(softphone);

let wanted = wantedInvite(location.hash);
// Once: a reload, or the address in the history, is not asked for again.
if (wanted) history.replaceState(null, '', location.pathname + location.search);
softphone.client.on('change', ({ status, user }) => {
  if (!wanted || status !== 'ready' || !user) return;
  void softphone.invite(wanted);
  wanted = null;
});
await softphone.client.start();
