// What is used of modules that come without types.
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  export interface CannonRequest {
    method: string;
    path: string;
    headers: Record<string, string>;
    body?: string;
    /** Called before each use; answers what is to be sent. */
    setupRequest?: (request: CannonRequest) => CannonRequest;
    onResponse?: (status: number, body: string) => void;
  }

  export interface CannonClient {
    setRequests(requests: CannonRequest[]): void;
  }

  export interface CannonResult {
    errors: number;
    timeouts: number;
    statusCodeStats: Record<string, { count: number }>;
  }

  export interface CannonOptions {
    url: string;
    connections: number;
    /** Seconds. */
    duration?: number;
    amount?: number;
    /** Milliseconds between looks at the clock. */
    sampleInt: number;
    /** Seconds. */
    timeout: number;
    setupClient: (client: CannonClient) => void;
  }

  export interface CannonInstance extends EventEmitter {
    on(
      event: 'response',
      listener: (client: CannonClient, status: number, bytes: number, milliseconds: number) => void,
    ): this;
    on(event: 'start', listener: () => void): this;
  }

  export default function autocannon(
    options: CannonOptions,
    done: (error: Error | null, result: CannonResult) => void,
  ): CannonInstance;
}

declare module 'oidc-provider/lib/adapters/memory_adapter.js' {
  import type { AdapterFactory } from 'oidc-provider';

  export function createMemoryAdapter(): AdapterFactory;
  export function setStorage(storage: unknown): void;
}

declare module 'oidc-provider/lib/helpers/lru.js' {
  export default class LRU {
    constructor(options: { maxSize: number });
  }
}
