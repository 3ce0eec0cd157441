import { RingbridgeClient } from './client/index.js';
import { loadConfig } from './hosts/adapter.js';
import { standaloneHost } from './hosts/standalone.js';
import { Softphone } from './softphone/softphone.js';

const config = await loadConfig('standalone');
const softphone = new Softphone();
softphone.host = standaloneHost();
softphone.client = new RingbridgeClient({ name: 'ringbridge-standalone' });
softphone.tenant = config.tenant ?? '';
document.body.append(softphone);
await softphone.client.start();
