import { createElement } from 'lwc';
import check from '@salesforce/apex/RingbridgeSetup.check';
import gatewayUrl from '@salesforce/apex/RingbridgeSettings.address';
import RingbridgeSetup from 'c/ringbridgeSetup';
import { CHECKS, FOUND, STATES } from '../words';

jest.mock('@salesforce/apex/RingbridgeSetup.check', () => ({ default: jest.fn() }), { virtual: true });
jest.mock('@salesforce/apex/RingbridgeSettings.address', () => ({ default: jest.fn() }), { virtual: true });

const GATEWAY = 'https://calls.acme.example';
const NAMES = Object.keys(CHECKS);

const line = (name, state = 'ok', code = 'ok', detail = 'x') => ({ name, state, code, detail });
const fromApex = (changes = {}) =>
    NAMES.filter((name) => name !== 'gateway').map((name) => line(name, ...(changes[name] ?? [])));
const answer = (config) => ({ ok: true, json: async () => config });
const rows = (element) => [...element.shadowRoot.querySelectorAll('.line')];
const row = (element, name) => element.shadowRoot.querySelector(`[data-name="${name}"]`);
const summary = (element) => element.shadowRoot.querySelector('[role="status"]').textContent;

/** Promises of the checks, however many there are, and the drawing after them. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

async function show() {
    const element = createElement('c-ringbridge-setup', { is: RingbridgeSetup });
    document.body.appendChild(element);
    await settled();
    return element;
}

beforeEach(() => {
    check.mockResolvedValue(fromApex());
    gatewayUrl.mockResolvedValue(GATEWAY);
    window.fetch = jest.fn().mockResolvedValue(answer({ salesforce_origins: [window.location.origin] }));
});

afterEach(() => {
    while (document.body.firstChild) document.body.firstChild.remove();
    jest.clearAllMocks();
});

describe('c-ringbridge-setup', () => {
    it('has a line for each check, in the order of putting right', async () => {
        const element = await show();
        expect(rows(element).map(({ dataset }) => dataset.name)).toEqual(NAMES);
        expect(summary(element)).toBe('c.Ringbridge_Setup_All_Ok');
        expect(element.shadowRoot.querySelector('.remedy')).toBeNull();
    });

    it('says of what is missing how and where it is put right', async () => {
        check.mockResolvedValue(fromApex({ trustedUrl: ['missing', 'lacks', 'Microphone'] }));
        const element = await show();
        const trusted = row(element, 'trustedUrl');
        expect(trusted.textContent).toContain('c.Ringbridge_State_Missing');
        expect(trusted.textContent).toContain('c.Ringbridge_Code_Lacks');
        expect(trusted.querySelector('.remedy').textContent).toBe('c.Ringbridge_Fix_Trusted_Url');
        expect(trusted.querySelector('a').getAttribute('href')).toBe('/lightning/setup/SecurityCspTrustedSite/home');
        expect(row(element, 'keyField').querySelector('.remedy')).toBeNull();
        expect(summary(element)).toBe('c.Ringbridge_Setup_Open');
    });

    it('does not take what was not checked for in order', async () => {
        check.mockResolvedValue(fromApex({ signInApp: ['unknown', 'error', 'no such object'] }));
        const element = await show();
        expect(row(element, 'signInApp').textContent).toContain('c.Ringbridge_State_Unknown');
        expect(row(element, 'signInApp').querySelector('.remedy')).not.toBeNull();
        expect(summary(element)).toBe('c.Ringbridge_State_Unknown: 1');
    });

    it('takes a state it does not know for not checked', async () => {
        check.mockResolvedValue(fromApex({ identity: ['fine', 'new', 'text $& of {0}'] }));
        const element = await show();
        expect(row(element, 'identity').textContent).toContain('c.Ringbridge_State_Unknown');
        expect(row(element, 'identity').querySelector('.found').textContent).toBe('text $& of {0}');
    });

    it('says which gateway answers', async () => {
        expect(row(await show(), 'gateway').textContent).toContain(GATEWAY);
        const [url, options] = window.fetch.mock.calls[0];
        expect(url).toBe(
            `${GATEWAY}/widget/config.json?host=salesforce&origin=${encodeURIComponent(window.location.origin)}`
        );
        expect(options).toMatchObject({ mode: 'cors', credentials: 'omit', cache: 'no-store' });
    });

    it('says its version when it tells one', async () => {
        window.fetch.mockResolvedValue(answer({ salesforce_origins: [window.location.origin], version: '1.2.3' }));
        expect(row(await show(), 'gateway').textContent).toContain('1.2.3');
    });

    it.each([
        ['does not know this organisation', () => answer({ tenant: 'acme' }), 'Other_Org'],
        ['is something else', () => answer('<html>'), 'Refused'],
        ['is no JSON', () => ({ ok: true, json: () => Promise.reject(new SyntaxError()) }), 'Refused'],
        ['is an error', () => ({ ok: false }), 'Refused']
    ])('tells when what answers %s', async (_, make, code) => {
        window.fetch.mockResolvedValue(make());
        const element = await show();
        expect(row(element, 'gateway').textContent).toContain(`c.Ringbridge_Code_${code}`);
        expect(row(element, 'gateway').textContent).toContain('c.Ringbridge_State_Missing');
    });

    it('knows that it answers even if the answer may not be read', async () => {
        window.fetch.mockRejectedValueOnce(new TypeError('CORS')).mockResolvedValueOnce({ type: 'opaque' });
        const element = await show();
        expect(window.fetch.mock.calls.map(([, { mode }]) => mode)).toEqual(['cors', 'no-cors']);
        expect(row(element, 'gateway').textContent).toContain('c.Ringbridge_State_Ok');
        expect(row(element, 'gateway').textContent).toContain('c.Ringbridge_Code_Unread');
    });

    it('tells when it does not answer', async () => {
        window.fetch.mockRejectedValue(new TypeError('blocked'));
        expect(row(await show(), 'gateway').textContent).toContain('c.Ringbridge_Code_Unreachable');
    });

    it('asks nobody while no address is set', async () => {
        gatewayUrl.mockResolvedValue('');
        const element = await show();
        expect(window.fetch).not.toHaveBeenCalled();
        expect(row(element, 'gateway').textContent).toContain('c.Ringbridge_Code_Skipped');
    });

    it('says that it may not look, and looks again when told', async () => {
        check.mockRejectedValueOnce({ body: { message: 'no access' } });
        const element = await show();
        expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toContain('c.Ringbridge_Setup_Failed');
        expect(rows(element)).toEqual([]);
        element.shadowRoot.querySelector('lightning-button').click();
        await settled();
        expect(rows(element)).toHaveLength(NAMES.length);
        expect(element.shadowRoot.querySelector('[role="alert"]')).toBeNull();
    });

    it('waits once, however often it is told', async () => {
        let finish;
        check.mockReturnValue(new Promise((resolve) => (finish = resolve)));
        const element = await show();
        expect(element.shadowRoot.querySelector('lightning-spinner')).not.toBeNull();
        expect(element.shadowRoot.querySelector('lightning-button').disabled).toBe(true);
        element.shadowRoot.querySelector('lightning-button').click();
        finish(fromApex());
        await settled();
        expect(check).toHaveBeenCalledTimes(1);
        expect(rows(element)).toHaveLength(NAMES.length);
    });
});

it('has words for every state and finding', () => {
    for (const { text, icon } of Object.values(STATES)) expect([text, icon]).not.toContain(undefined);
    for (const sentence of Object.values(FOUND)) expect(sentence).toBeTruthy();
});
