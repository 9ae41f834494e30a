import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { askFor, createBackchannelWorld, decide, poll } from '../support/backchannel.ts';
import { createAgent } from '../support/browserless.ts';
import { introspect, refresh, type TokenAnswer } from '../support/oauth.ts';
import { signIn } from '../support/people.ts';
import { type Postern, startPostern } from '../support/postern.ts';
import { type PosternProcess, startProcesses } from '../support/process.ts';

/** Only makes what the tests need; requests go to the two processes. */
let maker: Postern;
let processes: PosternProcess[] = [];

beforeAll(async () => {
  maker = await startPostern();
  processes = await startProcesses(2, maker.databaseUrl);
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await maker.close();
});

const originOf = (index: number) => processes[index % processes.length]?.url ?? '';
const first = () => originOf(0);

test('S10 50 parallel polls get one set of tokens, and it stays good', async () => {
  const world = await createBackchannelWorld(maker);
  const { application, person } = world;
  const { body } = await askFor(first(), world, { scope: 'openid offline_access' });
  const agent = createAgent(first());
  await signIn(agent, await agent.get('/account/approvals'), person);
  await decide(agent, 'allow');
  const id = String(body.auth_req_id);
  const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => poll(originOf(index), application, id)));
  const won = answers.filter(({ status }) => status === 200);
  expect(won).toHaveLength(1);
  const errors = new Set(answers.flatMap(({ body: { error } }) => error ?? []));
  expect([...errors].every((error) => error === 'slow_down' || error === 'invalid_grant')).toBe(true);
  expect(await introspect(first(), application, won[0]?.body.access_token ?? '')).toMatchObject({ active: true });
  expect((await refresh(first(), application, won[0]?.body.refresh_token ?? '')).status).toBe(200);
});

test('S10 of polls that all came in time one gets the tokens', async () => {
  const world = await createBackchannelWorld(maker);
  const { application, person } = world;
  const { body } = await askFor(first(), world);
  const id = String(body.auth_req_id);
  const polls = () => Promise.all(Array.from({ length: 50 }, (_, index) => poll(originOf(index), application, id)));
  // As if the clocks of the processes were far apart: each poll has its turn.
  await maker.db.query(
    'test-no-turns',
    `CREATE FUNCTION no_turns() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN NEW.payload = NEW.payload - 'nextPoll'; RETURN NEW; END $$`,
    [],
  );
  await maker.db.query(
    'test-no-turns-trigger',
    'CREATE TRIGGER no_turns BEFORE UPDATE ON token FOR EACH ROW EXECUTE FUNCTION no_turns()',
    [],
  );
  const agent = createAgent(first());
  await signIn(agent, await agent.get('/account/approvals'), person);
  // Connections are there from now on: what comes at once is worked on at once.
  const errorsOf = (answers: TokenAnswer[]) => new Set(answers.map(({ body: { error } }) => error));
  expect(errorsOf(await polls())).toEqual(new Set(['authorization_pending']));
  await decide(agent, 'allow');
  const answers = await polls();
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(errorsOf(answers)).toEqual(new Set([undefined, 'invalid_grant']));
});

test('three requests of one application are open at the most, however many are sent at once to however many processes', async () => {
  const world = await createBackchannelWorld(maker);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => askFor(originOf(index), world)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
});
