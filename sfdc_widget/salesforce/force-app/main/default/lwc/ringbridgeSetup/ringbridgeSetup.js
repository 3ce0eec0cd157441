import { LightningElement } from 'lwc';
import check from '@salesforce/apex/RingbridgeSetup.check';
import gatewayUrl from '@salesforce/apex/RingbridgeSettings.address';
import title from '@salesforce/label/c.Ringbridge_Setup_Title';
import again from '@salesforce/label/c.Ringbridge_Setup_Again';
import checking from '@salesforce/label/c.Ringbridge_Setup_Checking';
import failed from '@salesforce/label/c.Ringbridge_Setup_Failed';
import allOk from '@salesforce/label/c.Ringbridge_Setup_All_Ok';
import open from '@salesforce/label/c.Ringbridge_Setup_Open';
import fix from '@salesforce/label/c.Ringbridge_Setup_Fix';
import { askGateway } from './gateway';
import { CHECKS, FOUND, STATES } from './words';

const PEOPLE = new Set(['permissionSet', 'callCenterUsers']);

/** Checks the installation line by line, and says where to put right what is missing. */
export default class RingbridgeSetup extends LightningElement {
    labels = { title, again, checking, fix };
    lines = null;
    problem = '';
    isChecking = false;

    connectedCallback() {
        this.look();
    }

    async look() {
        if (this.isChecking) return;
        this.isChecking = true;
        this.problem = '';
        try {
            const [found, gateway] = await Promise.all([check(), this.ask()]);
            this.lines = inOrder([...found, gateway]);
        } catch (error) {
            this.lines = null;
            this.problem = failed.replace('{0}', error?.body?.message ?? error?.message ?? '');
        } finally {
            this.isChecking = false;
        }
    }

    async ask() {
        const address = await gatewayUrl();
        return askGateway(address, window.location.origin, (...args) => window.fetch(...args));
    }

    get summary() {
        if (this.isChecking) return checking;
        if (this.lines === null) return '';
        const unknown = this.lines.filter(({ isUnknown }) => isUnknown).length;
        const waiting = this.lines.filter(({ isOpen }) => isOpen).length - unknown;
        const parts = [];
        if (waiting > 0) parts.push(open.replace('{0}', String(waiting)));
        if (unknown > 0) parts.push(`${STATES.unknown.text}: ${unknown}`);
        return parts.join('. ') || allOk;
    }
}

function inOrder(found) {
    const byName = new Map(found.map((line) => [line.name, line]));
    return Object.entries(CHECKS)
        .filter(([name]) => byName.has(name))
        .map(([name, { title: heading, fix: remedy, place }]) => {
            const { state, code, detail } = byName.get(name);
            const standing = STATES[state] ?? STATES.unknown;
            const { text, icon, variant, isOpen } = standing;
            const sentence = code === 'ok' && PEOPLE.has(name) ? FOUND.count : (FOUND[code] ?? '{0}');
            return {
                name,
                heading,
                icon,
                variant,
                isOpen,
                isUnknown: standing === STATES.unknown,
                state: text,
                // A function, since $& and the like in a detail are only text.
                found: sentence.replace('{0}', () => detail ?? ''),
                remedy,
                place: `/lightning/setup/${place}`
            };
        });
}
