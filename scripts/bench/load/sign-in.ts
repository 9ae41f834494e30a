import { generate } from 'otplib';
import { type Agent, createAgent, type Page } from '../../../test/support/browserless.ts';
import { addressOf, type LoadResult, type SignInJob, summary } from './job.ts';

const PERIOD = 30;

async function submit(agent: Agent, page: Page, field: string, values: Record<string, string>, from: string) {
  const form = page.forms.find(({ inputs }) => inputs.includes(field));
  if (!form) throw new Error(`no form with ${field} at ${page.url} (${page.status}): ${page.text.slice(0, 200)}`);
  const target = new URL(form.action || page.url, page.url).href;
  return agent.post(target, { ...form.fields, ...values }, { 'x-forwarded-for': from });
}

/** A whole sign-in with password and second factor, up to the redirect with the code. */
export async function signIn(
  agent: Agent,
  authorize: string,
  person: { login: string; password: string; secret: string },
  from: string,
): Promise<string> {
  let page = await agent.get(authorize, { 'x-forwarded-for': from });
  if (!page.leaves) {
    page = await submit(agent, page, 'password', { login: person.login, password: person.password }, from);
    const code = await generate({ secret: person.secret, epoch: Math.floor(Date.now() / 1000 / PERIOD) * PERIOD });
    page = await submit(agent, page, 'code', { code }, from);
  }
  const code = page.leaves?.searchParams.get('code');
  if (!code)
    throw new Error(`no code: ${page.leaves?.href ?? `${page.status} ${page.url} ${page.text.slice(0, 200)}`}`);
  return code;
}

/** Browsers, each with its own cookies, that sign in as one person after the other. */
export async function runSignIn(job: SignInJob): Promise<LoadResult> {
  const latencies: number[] = [];
  let errors = 0;
  let next = 0;
  let problem: unknown;
  const started = performance.now();
  const until = started + job.seconds * 1000;
  async function browser(): Promise<void> {
    while (performance.now() < until) {
      const index = next++;
      const person = job.people[index];
      // A code works once: nobody can sign in twice within its half minute.
      if (!person) return;
      const began = performance.now();
      try {
        await signIn(createAgent(job.origin), job.authorize, person, addressOf(index));
        latencies.push(performance.now() - began);
      } catch (error) {
        problem ??= error;
        errors += 1;
      }
    }
  }
  await Promise.all(Array.from({ length: job.browsers }, browser));
  if (latencies.length === 0 && problem) throw problem;
  const seconds = (performance.now() - started) / 1000;
  return { tool: 'own', completed: latencies.length, seconds, errors, ...summary(latencies), statuses: {}, kept: [] };
}
