/**
 * Which fields of a record are ways to reach somebody. Pure.
 *
 * A person account is an Account that has the fields of its contact, with Person
 * before their names; an organisation without person accounts has no such fields, and
 * Lightning Data Service leaves out optional ones that it cannot give.
 */

const PHONES = {
    Contact: ['Phone', 'MobilePhone', 'HomePhone', 'OtherPhone'],
    Lead: ['Phone', 'MobilePhone'],
    Account: ['Phone', 'PersonMobilePhone', 'PersonHomePhone', 'PersonOtherPhone']
};
const EMAILS = {
    Contact: ['Email'],
    Lead: ['Email'],
    Account: ['PersonEmail']
};

export const KINDS = Object.keys(PHONES);

/** All fields to ask for, `Contact.Phone`; [] for objects that nobody can be reached by. */
export function fieldsOf(kind) {
    const names = [...(PHONES[kind] ?? []), ...(EMAILS[kind] ?? [])];
    return names.length === 0 ? [] : ['Name', ...names].map((name) => `${kind}.${name}`);
}

/**
 * @param {string} kind API name of the object
 * @param {{fields: Object<string, {value: any}>}} record as Lightning Data Service has it
 * @param {Object<string, {label: string}>} described fields of the object, for labels
 * @returns {{name: string, phones: object[], emails: object[]}} each way with the key,
 *   label and value of its field; a number that is there twice once
 */
export function waysToReach(kind, record, described = {}) {
    const pick = (names) => {
        const seen = new Set();
        return names
            .map((name) => ({
                key: name,
                label: described[name]?.label ?? name,
                value: String(record.fields[name]?.value ?? '').trim()
            }))
            .filter(({ value }) => value !== '' && !seen.has(value) && seen.add(value));
    };
    return {
        name: String(record.fields.Name?.value ?? ''),
        phones: pick(PHONES[kind] ?? []),
        emails: pick(EMAILS[kind] ?? [])
    };
}
