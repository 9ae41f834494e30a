import autocannon, { type CannonClient, type CannonRequest } from 'autocannon';
import { type ClosedJob, fill, type LoadResult, type Plan, summary, type Template } from './job.ts';
import { canUseWrk, runWrk } from './wrk.ts';

const TIMEOUT_SECONDS = 20;

function fieldOf(body: string, name: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body)[name];
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Built at each use, from whatever `take` answers then. */
function dynamic(first: Template, take: () => Template, onResponse?: CannonRequest['onResponse']): CannonRequest {
  return {
    ...first,
    setupRequest: (request) => ({ ...request, ...take() }),
    ...(onResponse === undefined ? {} : { onResponse }),
  };
}

/** The requests of the n-th connection. */
function requestsOf(plan: Plan, connection: number, kept: string[]): CannonRequest[] {
  switch (plan.type) {
    case 'rotate': {
      const start = connection % plan.requests.length;
      const turned = [...plan.requests.slice(start), ...plan.requests.slice(0, start)];
      const { keep } = plan;
      if (keep === undefined) return turned;
      return turned.map((request) => ({
        ...request,
        onResponse(status, body) {
          const value = status === 200 ? fieldOf(body, keep) : undefined;
          if (value !== undefined) kept.push(value);
        },
      }));
    }
    case 'each': {
      const { template, items } = plan;
      let last = '';
      return [
        dynamic(template, () => {
          last = items.pop() ?? last;
          return fill(template, last);
        }),
      ];
    }
    case 'chain': {
      const { template, items, next } = plan;
      let item = items[connection] ?? '';
      return [
        dynamic(
          template,
          () => fill(template, item),
          (_status, body) => {
            item = fieldOf(body, next) ?? item;
          },
        ),
      ];
    }
    case 'pair': {
      const { pairs, next } = plan;
      const [any] = pairs;
      if (!any) return [];
      let turn = connection;
      let pair = any;
      let item = '';
      return [
        dynamic(
          any.first,
          () => {
            pair = pairs[turn++ % pairs.length] ?? any;
            return pair.first;
          },
          (_status, body) => {
            item = fieldOf(body, next) ?? item;
          },
        ),
        dynamic(any.second, () => fill(pair.second, item)),
      ];
    }
  }
}

/** Every connection sends its next request when the answer to the one before is there. */
export function runClosed(job: ClosedJob): Promise<LoadResult> {
  return canUseWrk(job) ? runWrk(job) : runAutocannon(job);
}

function runAutocannon(job: ClosedJob): Promise<LoadResult> {
  const { origin, connections, seconds, amount, plan } = job;
  return new Promise((resolve, reject) => {
    const latencies: number[] = [];
    const kept: string[] = [];
    let started = performance.now();
    let ended = started;
    let connection = 0;
    const instance = autocannon(
      {
        url: origin,
        connections,
        ...(amount === undefined ? { duration: seconds ?? 1 } : { amount }),
        sampleInt: 20,
        timeout: TIMEOUT_SECONDS,
        setupClient(client: CannonClient) {
          client.setRequests(requestsOf(plan, connection, kept));
          connection += 1;
        },
      },
      (error, result) => {
        if (error) return reject(error);
        const statuses = Object.fromEntries(
          Object.entries(result.statusCodeStats).map(([status, { count }]) => [status, count]),
        );
        const refused = Object.entries(statuses).filter(([status]) => !/^[23]/.test(status));
        resolve({
          tool: 'autocannon',
          completed: latencies.length,
          seconds: (ended - started) / 1000,
          errors: result.errors + refused.reduce((sum, [, count]) => sum + count, 0),
          ...summary(latencies),
          statuses,
          kept,
        });
      },
    );
    instance.on('start', () => {
      started = performance.now();
    });
    instance.on('response', (_client, _status, _bytes, milliseconds) => {
      latencies.push(milliseconds);
      ended = performance.now();
    });
  });
}
