import { type Agent, createAgent, type Page } from './browserless.ts';
import { type Person, signIn } from './people.ts';
import type { Postern } from './postern.ts';

/** A browser in which this person is signed in to Postern's own pages. */
export async function browserOf(postern: Postern, person: Person, path = '/account'): Promise<Agent> {
  const agent = createAgent(postern.url);
  const page = await signIn(agent, await agent.get(path), person);
  if (page.url !== `${postern.url}${path}`) throw new Error(`not at ${path} but at ${page.url}: ${page.text}`);
  return agent;
}

/** A browser that comes from an address of its own; the server has to trust 127.0.0.1 as a proxy. */
export function browserAt(postern: Pick<Postern, 'url'>, address: string): Agent {
  return createAgent(postern.url, [], { 'x-forwarded-for': address });
}

let hosts = 0;

/** Addresses of the documentation range, each used once: failures of one test never count against another. */
export function freshAddress(): string {
  hosts += 1;
  return `198.51.${100 + Math.floor(hosts / 250)}.${1 + (hosts % 250)}`;
}

/** Whether the console takes the browser for signed in, without beginning a sign-in. */
export async function isSignedIn(agent: Agent, path = '/account'): Promise<boolean> {
  const page = await agent.get(path);
  return page.status === 200 && new URL(page.url).pathname === path;
}

/** The token of the browser's forms, for requests that no form of ours makes. */
export function csrfOf(page: Page): string {
  const token = page.forms.map(({ fields }) => fields._csrf).find((value) => value !== undefined);
  if (token === undefined) throw new Error(`no form with a token at ${page.url}`);
  return token;
}
