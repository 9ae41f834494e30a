import type { Ctx } from './context.ts';

/** Two years, in seconds. */
const HSTS = 'max-age=63072000';
const PERMISSIONS =
  'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-get=(self)';

/**
 * The headers that every answer carries, set before anything answers. oidc-provider adds the hash of its inline script
 * to the `script-src` that it finds here, and sets its own Cache-Control and CORS headers over these.
 */
export function setSecurityHeaders(ctx: Ctx, { secure }: { secure: boolean }): void {
  ctx.set({ 'Content-Security-Policy': contentSecurityPolicy(ctx.state.nonce), ...fixed(secure) });
  if (!isPublicDocument(ctx.path)) ctx.set('Cache-Control', 'no-store');
}

function fixed(secure: boolean): Record<string, string> {
  return {
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': PERMISSIONS,
    ...(secure && { 'Strict-Transport-Security': HSTS }),
  };
}

/** The same for answers that no browser shows: names and values in turn. */
export function plainHeaders({ secure }: { secure: boolean }): string[] {
  return [
    'Content-Security-Policy',
    "default-src 'none'; frame-ancestors 'none'",
    ...Object.entries(fixed(secure)).flat(),
  ];
}

/**
 * No `form-action`: browsers apply it to the redirects after a form post too, and a sign-in ends with one to the
 * application's redirect URI, which may be of any origin or scheme.
 */
export function contentSecurityPolicy(nonce: string, styles = "'self'"): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'self'`,
    `style-src ${styles}`,
    "img-src 'self' data:",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** Metadata and public keys are the same for everybody and may be kept by whoever fetches them. */
function isPublicDocument(path: string): boolean {
  return path.startsWith('/.well-known/') || path === '/oauth2/jwks';
}
