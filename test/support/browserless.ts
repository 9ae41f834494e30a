import { type Form, formsOf, textOf } from './page.ts';

/** An answer, after the redirects within the origin were followed. */
export interface Page {
  url: string;
  status: number;
  headers: Headers;
  html: string;
  text: string;
  forms: Form[];
  /** Where the last answer sends the browser to, when that is another origin: an application's callback. */
  leaves: URL | undefined;
  /** Status and target of each redirect on the way. */
  hops: { status: number; location: string }[];
}

interface Cookie {
  name: string;
  value: string;
  path: string;
}

/** A browser without a screen: cookies by their path, redirects within one origin, forms by the field they hold. */
export interface Agent {
  get(target: string, headers?: Record<string, string>): Promise<Page>;
  /** Pairs where a field is sent more than once. */
  post(
    target: string,
    fields: Record<string, string> | [string, string][],
    headers?: Record<string, string>,
  ): Promise<Page>;
  /** Sends the form of `page` that has a field or a button with this name, filled in with `values`. */
  submit(page: Page, which: string, values?: Record<string, string>): Promise<Page>;
  cookies: Cookie[];
  /** Another browser that begins with the same cookies. */
  clone(): Agent;
}

const MOST_HOPS = 12;

/** `always`: headers of every request, such as the address that a proxy would add. */
export function createAgent(origin: string, cookies: Cookie[] = [], always: Record<string, string> = {}): Agent {
  function cookieHeader(path: string): string {
    return cookies
      .filter((cookie) => path === cookie.path || path.startsWith(cookie.path.replace(/\/?$/, '/')))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  function take(response: Response, path: string): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...settings] = line.split(/;\s*/);
      const at = pair.indexOf('=');
      const setting = (name: string) =>
        settings.find((text) => text.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
      const cookie = {
        name: pair.slice(0, at),
        value: pair.slice(at + 1),
        path: setting('path') ?? path.replace(/\/[^/]*$/, '') ?? '/',
      };
      const kept = cookies.findIndex(({ name, path: known }) => name === cookie.name && known === cookie.path);
      if (kept >= 0) cookies.splice(kept, 1);
      const expires = setting('expires');
      const gone = setting('max-age') === '0' || (expires !== undefined && new Date(expires).getTime() <= Date.now());
      if (!gone) cookies.push(cookie);
    }
  }

  async function request(target: string, init: RequestInit): Promise<Page> {
    const hops: Page['hops'] = [];
    let url = new URL(target, origin);
    let next = init;
    for (;;) {
      const response = await fetch(url, {
        ...next,
        headers: { ...always, ...(next.headers as Record<string, string>), cookie: cookieHeader(url.pathname) },
        redirect: 'manual',
      });
      take(response, url.pathname);
      const location = response.headers.get('location');
      const html = await response.text();
      const page = (leaves: URL | undefined): Page => ({
        url: url.href,
        status: response.status,
        headers: response.headers,
        html,
        text: textOf(html),
        forms: formsOf(html),
        leaves,
        hops,
      });
      if (location === null) return page(undefined);
      hops.push({ status: response.status, location });
      const to = new URL(location, url);
      if (to.origin !== origin) return page(to);
      if (hops.length > MOST_HOPS)
        throw new Error(`redirects do not end: ${hops.map((hop) => hop.location).join(' ')}`);
      url = to;
      const { 'content-type': _type, ...headers } = (init.headers ?? {}) as Record<string, string>;
      next = { method: 'GET', headers };
    }
  }

  const agent: Agent = {
    cookies,
    get: (target, headers = {}) => request(target, { method: 'GET', headers }),
    post: (target, fields, headers = {}) =>
      request(target, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(fields).toString(),
      }),
    async submit(page, which, values = {}) {
      const form = page.forms.find(
        ({ inputs, buttons, action }) =>
          inputs.includes(which) || buttons.includes(which) || (which.startsWith('/') && action.endsWith(which)),
      );
      if (!form) {
        const seen = page.forms.map(({ action, inputs, buttons }) => ({ action, inputs, buttons }));
        throw new Error(`no form with ${which} at ${page.url} (${page.status}): ${JSON.stringify(seen)} ${page.text}`);
      }
      return agent.post(new URL(form.action || page.url, page.url).href, { ...form.fields, ...values });
    },
    clone: () =>
      createAgent(
        origin,
        cookies.map((cookie) => ({ ...cookie })),
        always,
      ),
  };
  return agent;
}
