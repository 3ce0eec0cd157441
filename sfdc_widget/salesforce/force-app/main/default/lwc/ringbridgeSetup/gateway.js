/**
 * Asks the gateway from the browser, as the softphone will: through the Trusted URL,
 * the company's proxy, and whatever else is between.
 */

const PATIENCE_MS = 8000;

/**
 * @typedef {{name: string, state: string, code: string, detail: string}} Line as those
 *   of the Apex class RingbridgeSetup
 */

/**
 * @param {string} gateway its address, '' if it is not set
 * @param {string} origin of this page, which is the one that frames the softphone
 * @param {typeof fetch} fetch
 * @returns {Promise<Line>}
 */
export async function askGateway(gateway, origin, fetch) {
    if (!gateway) return line('unknown', 'skipped', '');
    const url = `${gateway}/widget/config.json?host=salesforce&origin=${encodeURIComponent(origin)}`;
    let answer;
    try {
        answer = await ask(url, 'cors', fetch);
    } catch {
        // Refused or not reached: only without looking at it can one tell which.
        try {
            await ask(url, 'no-cors', fetch);
        } catch {
            return line('missing', 'unreachable', gateway);
        }
        return line('ok', 'unread', gateway);
    }
    let config;
    try {
        config = answer.ok ? await answer.json() : null;
    } catch {
        config = null;
    }
    if (config === null || typeof config !== 'object') return line('missing', 'refused', gateway);
    const known = Array.isArray(config.salesforce_origins) ? config.salesforce_origins : [];
    if (!known.includes(origin)) return line('missing', 'otherOrg', origin);
    return line('ok', 'ok', config.version ? `${gateway} (${config.version})` : gateway);
}

async function ask(url, mode, fetch) {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
    try {
        return await fetch(url, {
            mode,
            cache: 'no-store',
            credentials: 'omit',
            signal: patience.signal
        });
    } finally {
        clearTimeout(timer);
    }
}

function line(state, code, detail) {
    return { name: 'gateway', state, code, detail };
}
