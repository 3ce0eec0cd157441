/** The Lightning-like page: routing, the utility bar, and the softphone's frame. */

import { ask, el } from './dom.js';
import { OpenCtiHost } from './host.js';
import { icon } from './icons.js';
import { formView, listView, recordView, searchView } from './views.js';

const MICROPHONE_ALLOW = 'microphone; camera; autoplay; clipboard-write';
// What makes a click to dial an invitation (docs/design/005).
const INVITE_PARAMS = 'ringbridge=invite';
const STANDBY_KEY = 'sandbox-standby';

const byId = (id) => document.getElementById(id);
const main = byId('main');
const modal = /** @type {HTMLDialogElement} */ (byId('modal'));

const EMPTY_VIEW = { recordId: '', recordName: '', objectType: '' };

class App {
  constructor(setup) {
    this.setup = setup;
    this.dialling = false;
    this.view = { url: location.href, ...EMPTY_VIEW };
    this.drawing = 0;
    this.host = new OpenCtiHost(
      { ...setup.softphone, apiVersion: setup.apiVersion },
      this,
      (methodName, args) => ask('opencti', { methodName, args })
    );
  }

  start() {
    this.drawFrame();
    this.drawTop();
    document.addEventListener('click', (event) => {
      const link = event.target instanceof Element && event.target.closest('a[data-link]');
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) {
        return;
      }
      event.preventDefault();
      void this.go(link.getAttribute('href'));
    });
    window.addEventListener('popstate', () => void this.route());
    // Lightning repeats the event whenever the document gets the focus back.
    window.addEventListener('focus', () => this.tellNavigation());
    modal.addEventListener('close', () => modal.replaceChildren());
    return this.route();
  }

  // -- around the middle

  drawTop() {
    const { tabs, user, users } = this.setup;
    byId('tabs').replaceChildren(
      ...tabs.map((tab) =>
        el(
          'a',
          { href: `/lightning/o/${tab.object}/list`, 'data-link': '', 'data-object': tab.object },
          tab.label
        )
      )
    );
    const choice = el(
      'select',
      {
        'aria-label': 'Signed in as',
        onchange: (event) => {
          location.href = `/sandbox/login?user=${encodeURIComponent(event.target.value)}`;
        },
      },
      ...users.map((u) => el('option', { value: u.id, selected: u.id === user.id }, u.name))
    );
    const initials = user.name.split(' ').map((part) => part[0]).join('').slice(0, 2);
    byId('who').replaceChildren(
      choice,
      el('span', { className: 'avatar', 'aria-hidden': 'true' }, initials)
    );
    byId('search').addEventListener('submit', (event) => {
      event.preventDefault();
      const wanted = byId('search-field').value.trim();
      if (wanted) {
        void this.search(wanted);
      }
    });
  }

  drawFrame() {
    const { softphone, appId } = this.setup;
    this.setItemLabel(softphone.label);
    this.setPanelLabel(softphone.label);
    this.setItemIcon('call');
    this.setPanelIcon('call');
    this.setPanelSize(softphone);
    byId('utility').addEventListener('click', () => this.setPanelVisible(!this.isPanelVisible()));
    byId('panel-close').addEventListener('click', () => this.setPanelVisible(false));
    const nonce = [...crypto.getRandomValues(new Uint8Array(32))]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('');
    const query =
      `mode=Lightning&ltn_app_id=${appId}&isdtp=vw` +
      `&sfdcIframeOrigin=${encodeURIComponent(location.origin)}&clc=1&nonce=${nonce}`;
    const frame = el('iframe', { title: 'Softphone', id: 'softphone' });
    if (softphone.microphone !== 'none') {
      frame.allow = MICROPHONE_ALLOW;
    }
    const standsBy = softphone.standbyUrl && sessionStorage.getItem(STANDBY_KEY);
    const join = softphone.adapterUrl.includes('?') ? '&' : '?';
    frame.src = standsBy ? softphone.standbyUrl : softphone.adapterUrl + join + query;
    byId('panel-body').append(frame);
    this.host.attach(frame);
    if (softphone.standbyUrl && !standsBy) {
      setTimeout(() => {
        if (!this.host.isReady) {
          sessionStorage.setItem(STANDBY_KEY, 'yes');
          frame.src = softphone.standbyUrl;
        }
      }, softphone.timeout);
    }
    byId('panel').hidden = false;
    this.setPanelVisible(false);
  }

  isPanelVisible() {
    return byId('panel').classList.contains('open');
  }

  setPanelVisible(visible) {
    // The frame stays mounted: a hidden softphone still rings.
    byId('panel').classList.toggle('open', visible);
    byId('panel').inert = !visible;
    byId('utility').setAttribute('aria-expanded', String(visible));
  }

  setPanelSize({ width, height }) {
    const style = byId('panel').style;
    if (width) {
      style.setProperty('--panel-width', `${width}px`);
    }
    if (height) {
      style.setProperty('--panel-height', `${height}px`);
    }
  }

  setPanelLabel(label) {
    byId('panel-label').textContent = label;
  }

  setItemLabel(label) {
    byId('utility-label').textContent = label;
  }

  setPanelIcon(key) {
    byId('panel-icon').replaceChildren(icon(key));
    byId('panel-icon').dataset.key = key;
  }

  setItemIcon(key) {
    byId('utility-icon').replaceChildren(icon(key));
    byId('utility-icon').dataset.key = key;
  }

  toast(text) {
    const toast = el('p', { className: 'toast' }, text);
    byId('toasts').append(toast);
    setTimeout(() => toast.remove(), 5000);
  }

  // -- the middle

  async go(url) {
    if (url !== location.pathname + location.search) {
      history.pushState(null, '', url);
    }
    await this.route();
  }

  openRecord(id) {
    return ask(`record?id=${encodeURIComponent(id)}`).then((data) =>
      this.go(`/lightning/r/${data.object}/${data.id}/view`)
    );
  }

  search(wanted) {
    return this.go(`/lightning/search?q=${encodeURIComponent(wanted)}`);
  }

  async refresh() {
    await this.draw();
  }

  async route() {
    if (modal.open) {
      modal.close();
    }
    await this.draw();
    main.focus({ preventScroll: true });
    this.tellNavigation();
  }

  phones() {
    const clicked = (number, record, params) =>
      this.host.notify('onClickToDial', {
        number,
        recordId: record.id,
        recordName: record.name,
        objectType: record.object,
        params,
      });
    return {
      dialling: this.dialling,
      dial: (number, record) => clicked(number, record, ''),
      invite: (number, record) => clicked(number, record, INVITE_PARAMS),
    };
  }

  async draw() {
    const drawing = ++this.drawing;
    const parts = location.pathname.split('/').filter(Boolean).slice(1);
    const query = new URLSearchParams(location.search);
    let content;
    let view = { url: location.href, ...EMPTY_VIEW };
    let title = 'Home';
    let tab = '';
    try {
      if (parts[0] === 'r' && parts.length >= 2) {
        const id = parts.length >= 3 && parts[2] !== 'view' ? parts[2] : parts[1];
        const data = await ask(`record?id=${encodeURIComponent(id)}`);
        content = () => recordView(data, this.phones(), () => void this.refresh());
        view = {
          url: location.href,
          recordId: data.id,
          recordName: data.name,
          objectType: data.object,
        };
        title = data.name;
        tab = data.object;
      } else if (parts[0] === 'o' && parts[1]) {
        const data = await ask(`list?object=${encodeURIComponent(parts[1])}`);
        content = () =>
          listView(data, this.phones(), () => void this.newRecord(data.object, {}));
        // Of a list, a standard app tells the address and nothing else.
        view = { url: location.href };
        title = data.label;
        tab = data.object;
      } else if (parts[0] === 'search') {
        const data = await ask(`search?q=${encodeURIComponent(query.get('q') ?? '')}`);
        content = () => searchView(data, this.phones());
        title = `${data.text}: search`;
      } else {
        content = () => this.nothing('This page is not part of the sandbox.');
      }
    } catch (error) {
      content = () => this.nothing(error.message);
    }
    if (drawing !== this.drawing) {
      return;
    }
    this.view = view;
    this.content = content;
    document.title = `${title} | Sandbox CRM`;
    for (const link of byId('tabs').children) {
      if (link.dataset.object === tab) {
        link.setAttribute('aria-current', 'page');
      } else {
        link.removeAttribute('aria-current');
      }
    }
    main.replaceChildren(content());
  }

  nothing(text) {
    return el(
      'article',
      { className: 'card' },
      el('p', { className: 'empty' }, text),
      el(
        'p',
        { className: 'empty' },
        el('a', { href: '/lightning/o/Contact/list', 'data-link': '' }, 'Go to the contacts')
      )
    );
  }

  setClickToDial(enabled) {
    if (this.dialling !== enabled) {
      this.dialling = enabled;
      if (this.content) {
        main.replaceChildren(this.content());
      }
    }
  }

  currentView() {
    return this.view;
  }

  tellNavigation() {
    this.host.notify('onNavigationChange', this.view);
  }

  async newRecord(kind, defaults) {
    const data = await ask(`form?object=${encodeURIComponent(kind)}`);
    const form = formView(data, defaults, {
      onCancel: () => modal.close(),
      onSave: async (fields) => {
        const made = await ask('create', {
          object: data.object,
          // What the dialog does not show is saved all the same, as in Lightning.
          fields: { ...defaults, ...fields },
        });
        modal.close();
        this.toast(`${data.label} was created.`);
        await this.openRecord(made.id);
      },
    });
    modal.replaceChildren(form);
    if (!modal.open) {
      modal.showModal();
    }
    this.tellNavigation();
  }
}

const app = new App(await ask('bootstrap'));
await app.start();
