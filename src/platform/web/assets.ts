import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { WebMiddleware } from './context.ts';

export interface AssetPaths {
  /** The address of a file of views/assets, with the hash of them all in it: it never changes its content. */
  path(name: string): string;
}

export interface Assets extends AssetPaths {
  /** Serves /assets/<hash>/<name>, /assets/<name> and /favicon.ico. */
  serve: WebMiddleware;
  /** The content of a text file. */
  text(name: string): string;
}

interface File {
  content: Buffer;
  zipped: Buffer | undefined;
  type: string;
  etag: string;
}

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
};

/** Reads the folder once; there are few and small files. */
export function createAssets(dir: string): Assets {
  const files = new Map<string, File>();
  const whole = createHash('sha256');
  for (const name of readdirSync(dir).sort()) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const content = readFileSync(join(dir, name));
    const digest = createHash('sha256').update(content).digest('base64url').slice(0, 20);
    whole.update(`${name} ${digest}\n`);
    const zipped = content.length > 1024 && extname(name) !== '.png' ? gzipSync(content) : undefined;
    files.set(name, { content, zipped, type, etag: `"${digest}"` });
  }
  const version = whole.digest('hex').slice(0, 12);

  const serve: WebMiddleware = async (ctx, next) => {
    const wanted = ctx.path === '/favicon.ico' ? 'favicon.ico' : /^\/assets\/(.+)$/.exec(ctx.path)?.[1];
    if (wanted === undefined) return next();
    const [first = '', second] = wanted.split('/', 2);
    const file = files.get(second === undefined ? first : second);
    if (file === undefined) return next();
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.set('Allow', 'GET, HEAD');
      ctx.status = 405;
      return;
    }
    // Another process of a rolling upgrade may have named another version: served, but not to be kept.
    const lasting = second !== undefined && first === version;
    ctx.set('Cache-Control', lasting ? 'public, max-age=31536000, immutable' : 'public, max-age=0, must-revalidate');
    ctx.set('ETag', file.etag);
    ctx.set('Cross-Origin-Resource-Policy', 'same-origin');
    ctx.vary('Accept-Encoding');
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    ctx.type = file.type;
    if (file.zipped !== undefined && ctx.acceptsEncodings('gzip', 'identity') === 'gzip') {
      ctx.set('Content-Encoding', 'gzip');
      ctx.body = file.zipped;
    } else {
      ctx.body = file.content;
    }
  };

  return {
    path: (name) => `/assets/${version}/${name}`,
    serve,
    text: (name) => files.get(name)?.content.toString('utf8') ?? '',
  };
}
