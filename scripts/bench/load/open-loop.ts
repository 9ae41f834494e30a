import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { bytesOf, type LoadResult, type OpenJob, summary } from './job.ts';

const LAST_ANSWERS_MS = 10_000;

/** Status and whether it names a time to try again; undefined as long as there is more to come. */
function answerIn(text: string): { status: number; hasRetryAfter: boolean } | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = text.slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  const whole = length ? text.length >= end + 4 + Number(length[1]) : text.endsWith('0\r\n\r\n');
  if (!whole) return undefined;
  return { status: Number(head.slice(9, 12)), hasRetryAfter: /\r\nretry-after: *[1-9]\d*(\r\n|$)/i.test(head) };
}

interface Connection {
  socket: Socket;
  received: string;
  /** When the request that is under way was to be sent; undefined: idle. */
  due: number | undefined;
}

function open(host: string, port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve({ socket, received: '', due: undefined });
    });
  });
}

async function openAll({ origin, connections: count }: OpenJob): Promise<Connection[]> {
  const { hostname, port } = new URL(origin);
  const connections: Connection[] = [];
  while (connections.length < count) {
    const missing = Math.min(100, count - connections.length);
    connections.push(...(await Promise.all(Array.from({ length: missing }, () => open(hostname, Number(port))))));
  }
  return connections;
}

/**
 * Requests at a fixed rate over keep-alive connections. Latency counts from the moment at which a request was to be sent,
 * so that a server that stalls also pays for those that had to wait (no coordinated omission).
 */
export async function runOpen(job: OpenJob): Promise<LoadResult> {
  const { host } = new URL(job.origin);
  const requests = job.requests.map((template) => bytesOf(template, host));
  const connections = await openAll(job);

  const latencies: number[] = [];
  const byStatus = new Map<number, number[]>();
  const idle = [...connections];
  const late: number[] = [];
  let errors = 0;
  let broken = 0;
  let withoutRetryAfter = 0;
  let sent = 0;
  let answeredAt = performance.now();

  function send(connection: Connection, due: number): void {
    connection.due = due;
    connection.socket.write(requests[sent++ % requests.length] ?? '');
  }

  for (const connection of connections) {
    const { socket } = connection;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      connection.received += chunk;
      const answer = answerIn(connection.received);
      if (answer === undefined || connection.due === undefined) return;
      answeredAt = performance.now();
      const latency = answeredAt - connection.due;
      latencies.push(latency);
      const { status, hasRetryAfter } = answer;
      const alike = byStatus.get(status);
      if (alike) alike.push(latency);
      else byStatus.set(status, [latency]);
      if (status >= 400) errors += 1;
      if (status === 503 && !hasRetryAfter) withoutRetryAfter += 1;
      connection.received = '';
      connection.due = undefined;
      const waiting = late.shift();
      if (waiting === undefined) idle.push(connection);
      else send(connection, waiting);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (connection.due !== undefined) broken += 1;
      connection.due = undefined;
    });
  }

  // A server accepts connections one by one; that is not what is measured.
  await wait((job.ramp ?? 0) * 1000);
  const total = Math.round(job.rate * job.seconds);
  const started = performance.now();
  for (let arrived = 0; arrived < total; ) {
    const now = performance.now();
    for (; arrived < total && started + (arrived * 1000) / job.rate <= now; arrived++) {
      const due = started + (arrived * 1000) / job.rate;
      // Taken from the front: every connection gets its turn.
      const connection = idle.shift();
      if (connection) send(connection, due);
      else late.push(due);
    }
    await wait(1);
  }
  const sentAll = performance.now();
  while (latencies.length + broken < total && performance.now() < sentAll + LAST_ANSWERS_MS) await wait(5);
  for (const { socket } of connections) socket.destroy();
  const lost = Math.max(0, total - latencies.length);
  const statuses = [...byStatus].map(
    ([status, alike]) => [status, { count: alike.length, ...summary(alike) }] as const,
  );
  return {
    tool: 'own',
    completed: latencies.length,
    seconds: (sentAll - started) / 1000,
    errors: errors + lost,
    ...summary(latencies),
    statuses: Object.fromEntries(statuses.map(([status, { count }]) => [status, count])),
    kept: [],
    open: {
      byStatus: Object.fromEntries(statuses),
      withoutRetryAfter,
      lost,
      lastAnswerMs: Math.max(0, answeredAt - sentAll),
    },
  };
}
