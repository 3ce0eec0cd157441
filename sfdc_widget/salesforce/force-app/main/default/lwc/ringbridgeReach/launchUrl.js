/**
 * The address that opens Ringbridge's own page with the invite dialog for somebody.
 *
 * What it is about stands behind the #, which browsers send to no server: names and
 * e-mail addresses of customers are in nobody's log. There is nothing secret in it; the
 * page asks the rep to sign in as ever.
 */

const MAX_TEXT = 255;

/**
 * @param {string} gateway its address, '' if it is not set
 * @param {{record: string, kind: string, name: string, email: string}} who
 * @returns {string} '' if there is no gateway to open
 */
export function launchUrl(gateway, who) {
    if (!/^https:\/\/[A-Za-z0-9.-]+(:\d{1,5})?$/.test(gateway)) return '';
    const wanted = new URLSearchParams();
    for (const name of ['record', 'kind', 'name', 'email']) {
        const value = String(who[name] ?? '').slice(0, MAX_TEXT);
        if (value !== '') wanted.set(name, value);
    }
    return `${gateway}/widget/#invite?${wanted}`;
}
