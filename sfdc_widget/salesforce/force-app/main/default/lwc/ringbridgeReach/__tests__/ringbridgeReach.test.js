import { createElement } from 'lwc';
import { getRecord } from 'lightning/uiRecordApi';
import { getObjectInfo } from 'lightning/uiObjectInfoApi';
import gatewayUrl from '@salesforce/apex/RingbridgeSettings.address';
import RingbridgeReach from 'c/ringbridgeReach';

jest.mock(
    '@salesforce/apex/RingbridgeSettings.address',
    () => {
        const { createApexTestWireAdapter } = require('@salesforce/sfdx-lwc-jest');
        return { default: createApexTestWireAdapter(jest.fn()) };
    },
    { virtual: true }
);

const ANA = '003000000000001AAA';
const FIELDS = {
    Phone: { label: 'Business Phone' },
    MobilePhone: { label: 'Mobile' },
    Email: { label: 'Email' }
};

function show(properties = {}) {
    const element = createElement('c-ringbridge-reach', { is: RingbridgeReach });
    Object.assign(element, { recordId: ANA, objectApiName: 'Contact', ...properties });
    document.body.appendChild(element);
    return element;
}

async function showRecord(values, properties = {}) {
    const element = show(properties);
    getObjectInfo.emit({ fields: FIELDS });
    getRecord.emit({
        fields: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]))
    });
    gatewayUrl.emit('https://calls.acme.example');
    await Promise.resolve();
    return element;
}

const all = (element, selector) => [...element.shadowRoot.querySelectorAll(selector)];
const text = (element) => element.shadowRoot.querySelector('.body').textContent;
const row = (element, field) => element.shadowRoot.querySelector(`[data-field="${field}"]`);
const dials = (element) => all(element, 'lightning-click-to-dial').map((each) => [each.value, each.params]);

afterEach(() => {
    while (document.body.firstChild) document.body.firstChild.remove();
});

describe('c-ringbridge-reach', () => {
    it('dials each number, for the record, by the label of its field', async () => {
        const element = await showRecord({
            Name: 'Ana Ruiz',
            Phone: '(646) 555-0175',
            MobilePhone: '+1 917 555 0118',
            HomePhone: null
        });
        const dial = row(element, 'Phone').querySelector('lightning-click-to-dial');
        expect(dial.value).toBe('(646) 555-0175');
        expect(dial.recordId).toBe(ANA);
        expect(dial.params).toBeUndefined();
        expect(row(element, 'Phone').textContent).toContain('Business Phone');
        expect(row(element, 'MobilePhone').textContent).toContain('Mobile');
        expect(row(element, 'HomePhone')).toBeNull();
    });

    it('names each icon that stands alone', async () => {
        const element = await showRecord({ Name: 'Ana', Phone: '1', Email: 'ana@acme.example' });
        for (const icon of all(element, '.way > lightning-icon')) {
            expect(icon.alternativeText).toMatch(/^c\.Ringbridge_Card_/);
        }
    });

    it('invites by the softphone: a click to dial that carries the word', async () => {
        const element = await showRecord({ Name: 'Ana', Phone: '(646) 555-0175', Email: 'ana@acme.example' });
        const invite = row(element, 'Email').querySelector('lightning-click-to-dial');
        expect(invite.params).toBe('ringbridge=invite');
        expect(invite.recordId).toBe(ANA);
        expect(invite.value).toBe('(646) 555-0175');
        expect(row(element, 'Email').querySelector('a')).toBeNull();
    });

    it('invites who has no number by our page, with nothing before the #', async () => {
        const element = await showRecord({ Name: 'Dana & Co', Email: 'dana+x@initech.example' });
        const link = row(element, 'Email').querySelector('a');
        const url = new URL(link.href);
        expect(url.origin + url.pathname + url.search).toBe('https://calls.acme.example/widget/');
        expect(url.hash.startsWith('#invite?')).toBe(true);
        expect(Object.fromEntries(new URLSearchParams(url.hash.slice('#invite?'.length)))).toEqual({
            record: ANA,
            kind: 'Contact',
            name: 'Dana & Co',
            email: 'dana+x@initech.example'
        });
        expect(link.rel).toContain('noopener');
        expect(link.getAttribute('aria-label')).not.toBe('');
    });

    it('invites by our page where the administrator wants that', async () => {
        const element = await showRecord(
            { Name: 'Ana', Phone: '(646) 555-0175', Email: 'ana@acme.example' },
            { invitesInWindow: true }
        );
        expect(row(element, 'Email').querySelector('a')).not.toBeNull();
        expect(dials(element)).toEqual([['(646) 555-0175', undefined]]);
    });

    it('has no link while the address of the gateway is not set', async () => {
        const element = await showRecord({ Name: 'Dana', Email: 'dana@initech.example' });
        gatewayUrl.emit('');
        await Promise.resolve();
        expect(row(element, 'Email').querySelector('a')).toBeNull();
    });

    it('invites people without an e-mail address by their number', async () => {
        const element = await showRecord({ Name: 'Ana', Phone: '(646) 555-0175' });
        expect(row(element, 'invite').querySelector('lightning-click-to-dial').params).toBe('ringbridge=invite');
    });

    it('hides what the administrator hides', async () => {
        const values = { Name: 'Ana', Phone: '(646) 555-0175', Email: 'ana@acme.example' };
        const silent = await showRecord(values, { hidePhones: true });
        expect(row(silent, 'Phone')).toBeNull();
        expect(dials(silent)).toEqual([['(646) 555-0175', 'ringbridge=invite']]);
        const plain = await showRecord(values, { hideInvites: true });
        expect(dials(plain)).toEqual([['(646) 555-0175', undefined]]);
        expect(all(plain, '.invite')).toEqual([]);
    });

    it('knows the fields of person accounts', async () => {
        const element = await showRecord(
            { Name: 'Ana', Phone: '1', PersonMobilePhone: '2', PersonEmail: 'ana@acme.example' },
            { objectApiName: 'Account', recordId: '001000000000001AAA' }
        );
        expect(row(element, 'PersonMobilePhone')).not.toBeNull();
        expect(row(element, 'PersonEmail').querySelector('lightning-click-to-dial').params).toBe('ringbridge=invite');
        expect(getRecord.getLastConfig().optionalFields).toContain('Account.PersonEmail');
    });

    it('shows a number that is there twice once', async () => {
        const element = await showRecord({ Name: 'Ana', Phone: '1', MobilePhone: '1 ', Email: 'a@b.example' });
        expect(row(element, 'MobilePhone')).toBeNull();
    });

    it('waits, and says for what', () => {
        const spinner = show().shadowRoot.querySelector('lightning-spinner');
        expect(spinner.alternativeText).toBe('c.Ringbridge_Card_Loading');
    });

    it('says when there is nothing', async () => {
        const element = await showRecord({ Name: 'Ana' });
        expect(text(element)).toContain('c.Ringbridge_Card_Empty');
    });

    it.each([403, 404])('says when the record may not be seen (%i)', async (status) => {
        const element = show();
        getRecord.error({ message: 'no' }, status, 'No');
        await Promise.resolve();
        expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toBe('c.Ringbridge_Card_No_Access');
    });

    it('says what else went wrong', async () => {
        const element = show();
        getRecord.error({ message: 'row lock' }, 500, 'Server Error');
        await Promise.resolve();
        expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toContain('c.Ringbridge_Card_Failed');
    });

    it('says where it belongs', () => {
        expect(text(show({ objectApiName: 'Case' }))).toContain('c.Ringbridge_Card_Wrong_Page');
    });

    it('has our title unless there is another', () => {
        const card = (element) => element.shadowRoot.querySelector('lightning-card').title;
        expect(card(show())).toBe('c.Ringbridge_Card_Title');
        expect(card(show({ cardTitle: 'Phone' }))).toBe('Phone');
    });
});
