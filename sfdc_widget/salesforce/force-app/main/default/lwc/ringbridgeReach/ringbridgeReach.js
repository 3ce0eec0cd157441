import { LightningElement, api, wire } from 'lwc';
import { getRecord } from 'lightning/uiRecordApi';
import { getObjectInfo } from 'lightning/uiObjectInfoApi';
import gatewayUrl from '@salesforce/apex/RingbridgeSettings.address';
import title from '@salesforce/label/c.Ringbridge_Card_Title';
import loading from '@salesforce/label/c.Ringbridge_Card_Loading';
import empty from '@salesforce/label/c.Ringbridge_Card_Empty';
import noAccess from '@salesforce/label/c.Ringbridge_Card_No_Access';
import failed from '@salesforce/label/c.Ringbridge_Card_Failed';
import wrongPage from '@salesforce/label/c.Ringbridge_Card_Wrong_Page';
import call from '@salesforce/label/c.Ringbridge_Card_Call';
import email from '@salesforce/label/c.Ringbridge_Card_Email';
import videoInvite from '@salesforce/label/c.Ringbridge_Card_Video_Invite';
import videoInviteTo from '@salesforce/label/c.Ringbridge_Card_Video_Invite_To';
import { KINDS, fieldsOf, waysToReach } from './fields';
import { launchUrl } from './launchUrl';

// The softphone opens its invite dialog for a click to dial that carries this word.
const INVITE_PARAMS = 'ringbridge=invite';
const NO_ACCESS = new Set([401, 403, 404]);

/** Phone and video-invite icons beside each way to reach the person of a record page. */
export default class RingbridgeReach extends LightningElement {
    labels = { loading, empty, noAccess, wrongPage, call, email, videoInvite };
    inviteParams = INVITE_PARAMS;

    /** Set by the record page. */
    @api recordId;
    @api objectApiName;
    /** Set in the Lightning App Builder; '' for our own title. */
    @api cardTitle;
    @api hidePhones = false;
    @api hideInvites = false;
    /** Invites open Ringbridge's own page rather than the phone in the utility bar. */
    @api invitesInWindow = false;

    @wire(getRecord, { recordId: '$recordId', optionalFields: '$fields' })
    record;

    @wire(getObjectInfo, { objectApiName: '$objectApiName' })
    object;

    @wire(gatewayUrl)
    gateway;

    get fields() {
        return fieldsOf(this.objectApiName);
    }

    get title() {
        return this.cardTitle || title;
    }

    get isWrongPage() {
        return !KINDS.includes(this.objectApiName);
    }

    get isLoading() {
        return !this.isWrongPage && !this.record?.data && !this.record?.error;
    }

    get problem() {
        const error = this.record?.error;
        if (!error || this.isWrongPage) return '';
        if (NO_ACCESS.has(error.status)) return noAccess;
        const reason = error.body?.message ?? error.statusText ?? String(error.status ?? '');
        return failed.replace('{0}', reason);
    }

    get ways() {
        if (this.isWrongPage || !this.record?.data) return null;
        return waysToReach(this.objectApiName, this.record.data, this.object?.data?.fields);
    }

    get phones() {
        return this.hidePhones ? [] : (this.ways?.phones ?? []);
    }

    get emails() {
        const { name, phones = [], emails = [] } = this.ways ?? {};
        return emails.map((each) => ({
            ...each,
            // Any number does: the softphone goes by the record and dials nobody.
            number: this.hideInvites || this.invitesInWindow ? '' : phones[0]?.value,
            address: this.hideInvites ? '' : this.launch(each.value),
            inviteTo: videoInviteTo.replace('{0}', name || each.value)
        }));
    }

    /** People without an e-mail address: the dialog asks for one. */
    get invitesByPhone() {
        const { phones = [], emails = [] } = this.ways ?? {};
        const isWanted = !this.hideInvites && !this.invitesInWindow && emails.length === 0;
        return isWanted ? phones.slice(0, 1) : [];
    }

    get isEmpty() {
        return (
            this.ways !== null &&
            this.phones.length + this.emails.length + this.invitesByPhone.length === 0
        );
    }

    launch(address) {
        return launchUrl(this.gateway?.data ?? '', {
            record: this.recordId,
            kind: this.objectApiName,
            name: this.ways?.name ?? '',
            email: address
        });
    }
}
