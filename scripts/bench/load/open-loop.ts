import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { bytesOf, type LoadResult, type OpenJob, summary } from './job.ts';

const LAST_ANSWERS_MS = 10_000;

/** The status of a whole answer, undefined as long as there is more to come. */
function statusOf(text: string): number | undefined {
  const head = text.indexOf('\r\n\r\n');
  if (head === -1) return undefined;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head));
  const whole = length ? text.length >= head + 4 + Number(length[1]) : text.endsWith('0\r\n\r\n');
  return whole ? Number(text.slice(9, 12)) : undefined;
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

/**
 * Requests at a fixed rate over keep-alive connections. Latency counts from the moment at which a request was to be sent,
 * so that a server that stalls also pays for those that had to wait (no coordinated omission).
 */
export async function runOpen(job: OpenJob): Promise<LoadResult> {
  const { hostname, port, host } = new URL(job.origin);
  const requests = job.requests.map((template) => bytesOf(template, host));
  const connections: Connection[] = [];
  while (connections.length < job.connections) {
    const missing = Math.min(100, job.connections - connections.length);
    connections.push(...(await Promise.all(Array.from({ length: missing }, () => open(hostname, Number(port))))));
  }

  const latencies: number[] = [];
  const statuses: Record<string, number> = {};
  const idle = [...connections];
  const late: number[] = [];
  let errors = 0;
  let sent = 0;

  function send(connection: Connection, due: number): void {
    connection.due = due;
    connection.socket.write(requests[sent++ % requests.length] ?? '');
  }

  for (const connection of connections) {
    const { socket } = connection;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      connection.received += chunk;
      const status = statusOf(connection.received);
      if (status === undefined || connection.due === undefined) return;
      latencies.push(performance.now() - connection.due);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status >= 400) errors += 1;
      connection.received = '';
      connection.due = undefined;
      const waiting = late.shift();
      if (waiting === undefined) idle.push(connection);
      else send(connection, waiting);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (connection.due !== undefined) errors += 1;
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
  const seconds = (performance.now() - started) / 1000;
  const deadline = performance.now() + LAST_ANSWERS_MS;
  while (latencies.length + errors < total && performance.now() < deadline) await wait(5);
  for (const { socket } of connections) socket.destroy();
  const lost = Math.max(0, total - latencies.length);
  const counts = { completed: latencies.length, seconds, errors: errors + lost };
  return { tool: 'own', ...counts, ...summary(latencies), statuses, kept: [] };
}
