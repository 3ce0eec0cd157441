import { RingbridgeClient } from './client/index.js';
import { loadConfig } from './hosts/adapter.js';
import { openCtiHost } from './hosts/open-cti.js';
import { standaloneHost } from './hosts/standalone.js';
import { Softphone } from './softphone/softphone.js';
import { windowed } from './video/windowed.js';
import { moreWords } from './softphone/strings.js';
import { followHost } from './words/index.js';

const [config] = await Promise.all([loadConfig('salesforce'), moreWords('start')]);
const softphone = new Softphone();
try {
  softphone.host = await openCtiHost(config);
} catch (error) {
  // Still a phone: without pop and click-to-dial, and with the sign-in form.
  console.error('Open CTI is not available:', error);
  softphone.host = standaloneHost();
}
softphone.client = windowed(
  new RingbridgeClient({
    name: 'ringbridge-salesforce',
    assertion: () => softphone.host.identityAssertion().catch(() => null),
    // Video is the window's matter: a call that comes back from there is sound alone.
    keepsVideo: false,
    yields: true,
    observes: true,
  }),
);
softphone.tenant = config.tenant ?? '';
if (config.sign_in?.length) softphone.ways = config.sign_in;
softphone.isVouchedFor = true;
document.body.append(softphone);
await softphone.client.start();
// Kept: the next time it speaks so from the start.
const language = await softphone.host.language();
if (language && (await followHost(language).catch(() => false))) softphone.renew();
