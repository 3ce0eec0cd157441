import { launchUrl } from '../launchUrl';

const ANA = { record: '003', kind: 'Contact', name: 'Ana', email: 'ana@acme.example' };

it.each(['', 'http://calls.acme.example', 'javascript:alert(1)', 'https://a.example/x', 'https://a.example@evil.example', 'https://a.example\n'])(
    'opens nothing but the gateway, not %j',
    (gateway) => {
        expect(launchUrl(gateway, ANA)).toBe('');
    }
);

it('keeps what a name contains in its place', () => {
    const name = 'A & B=C #?% "<x>" é';
    const url = new URL(launchUrl('https://calls.acme.example:8443', { ...ANA, name }));
    expect(url.origin).toBe('https://calls.acme.example:8443');
    expect(url.search).toBe('');
    expect(new URLSearchParams(url.hash.slice(8)).get('name')).toBe(name);
});

it('leaves out what is not there and cuts what is too long', () => {
    const url = launchUrl('https://calls.acme.example', { ...ANA, email: '', name: 'x'.repeat(5000) });
    expect(url).not.toContain('email');
    expect(url.length).toBeLessThan(400);
});
