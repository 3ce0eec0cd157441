import { RingbridgeClient } from './client/index.js';
import { loadConfig } from './hosts/adapter.js';
import { standaloneHost } from './hosts/standalone.js';
import { windowed } from './video/windowed.js';
import { Softphone } from './softphone/softphone.js';

const config = await loadConfig('standalone');
const softphone = new Softphone();
softphone.host = standaloneHost();
softphone.client = windowed(
  new RingbridgeClient({ name: 'ringbridge-standalone', keepsVideo: false, yields: true }),
);
softphone.tenant = config.tenant ?? '';
document.body.append(softphone);
await softphone.client.start();
