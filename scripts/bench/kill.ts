import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { family } from './accounting.ts';
import type { Arena, Server } from './arena.ts';
import type { Template } from './load/job.ts';
import type { Command } from './options.ts';
import { tokenRequest } from './stage.ts';

const CALLERS = 32;
const WORKERS = 2;
/** Seconds between one kill and the next. */
const PAUSE = { least: 1, most: 4 };
/** Of so many kills one takes the process that keeps the others running. */
const SUPERVISOR_EVERY = 4;

interface Tally {
  jtis: string[];
  refused: number;
  lost: number;
}

/** The body of a success; undefined where the connection broke or the answer was none. */
function ask(agent: Agent, origin: string, template: Template): Promise<{ status: number; body: string } | undefined> {
  return new Promise((resolve) => {
    const { method, path, headers, body } = template;
    const outgoing = request(`${origin}${path}`, { agent, method, headers, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      // `complete` is false for an answer that was cut off: nobody was given a token then.
      response.on('close', () =>
        resolve(response.complete ? { status: response.statusCode ?? 0, body: text } : undefined),
      );
    });
    outgoing.on('error', () => resolve(undefined));
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.end(body);
  });
}

async function call(origin: () => string, templates: Template[], tally: Tally, ended: () => boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  for (let turn = 0; !ended(); turn += 1) {
    const template = templates[turn % templates.length];
    const answer = template && (await ask(agent, origin(), template));
    if (answer?.status === 200) {
      const { access_token } = JSON.parse(answer.body) as { access_token: string };
      const claims = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString()) as {
        jti: string;
      };
      tally.jtis.push(claims.jti);
    } else {
      if (answer) tally.refused += 1;
      else tally.lost += 1;
      await wait(20);
    }
  }
  agent.destroy();
}

/** Of the tokens that clients hold, those without a row, and those that no event tells of. */
async function missing(url: string, jtis: string[]): Promise<{ rows: string[]; events: string[] }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const rows = await client.query<{ jti: string }>(
      'SELECT g.jti FROM unnest($1::text[]) g(jti) WHERE NOT EXISTS (SELECT FROM token t WHERE t.jti = g.jti)',
      [jtis],
    );
    const events = await client.query<{ jti: string }>(
      `SELECT g.jti FROM unnest($1::text[]) g(jti) LEFT JOIN (
          SELECT t->>'jti' AS jti FROM audit_event e, jsonb_array_elements(e.data->'tokens') t
           WHERE e.action = 'token.issue' AND e.outcome = 'success') told ON told.jti = g.jti
        WHERE told.jti IS NULL`,
      [jtis],
    );
    return { rows: rows.rows.map(({ jti }) => jti), events: events.rows.map(({ jti }) => jti) };
  } finally {
    await client.end();
  }
}

/** Kills processes of the product under load, as a crash would, and then counts what was acknowledged. */
export async function runKill(
  arena: Arena,
  { seconds, json }: Command & { verb: 'kill' },
  say: (text: string) => void,
): Promise<void> {
  let server: Server = await arena.product({ workers: WORKERS });
  const tally: Tally = { jtis: [], refused: 0, lost: 0 };
  const until = performance.now() + seconds * 1000;
  const ended = () => performance.now() >= until;
  const templates = arena.data.services.slice(0, 10).map((one) => tokenRequest(one));
  const callers = Array.from({ length: CALLERS }, () => call(() => server.origin, templates, tally, ended));

  const kills = { workers: 0, supervisors: 0 };
  while (!ended()) {
    const pause = PAUSE.least + Math.random() * (PAUSE.most - PAUSE.least);
    await wait(Math.min(pause * 1000, Math.max(0, until - performance.now())));
    if (ended()) break;
    const workers = family(server.pid).slice(1);
    const victim = workers[Math.floor(Math.random() * workers.length)];
    const whole = (kills.workers + kills.supervisors) % SUPERVISOR_EVERY === SUPERVISOR_EVERY - 1;
    if (whole || victim === undefined) {
      server.child.kill('SIGKILL');
      kills.supervisors += 1;
      server = await arena.product({ workers: WORKERS });
    } else {
      try {
        process.kill(victim, 'SIGKILL');
        kills.workers += 1;
      } catch {
        // It ended by itself meanwhile.
      }
    }
    say(`${tally.jtis.length} tokens, ${kills.workers} workers and ${kills.supervisors} supervisors killed`);
  }
  await Promise.all(callers);
  await server.stop();

  const { rows, events } = await missing(arena.databaseUrl, tally.jtis);
  const summary = {
    seconds,
    tokens: tally.jtis.length,
    killed_workers: kills.workers,
    killed_supervisors: kills.supervisors,
    refused: tally.refused,
    lost_connections: tally.lost,
    missing_token_rows: rows.length,
    missing_audit_events: events.length,
    examples: [...rows, ...events].slice(0, 10),
  };
  console.log(
    json
      ? JSON.stringify(summary, null, 2)
      : `${summary.tokens} tokens were given out while ${kills.workers} workers and ${kills.supervisors} supervisors were ` +
          `killed; ${rows.length} of them have no row, ${events.length} no audit event`,
  );
  if (tally.jtis.length === 0 || rows.length > 0 || events.length > 0) process.exitCode = 1;
}
