import type { Postern } from '../postern.ts';
import { faultsOfRefusal, send } from './judge.ts';
import { encodeForm, type Target } from './target.ts';

interface Body {
  type: string | undefined;
  /** Made of a good form. */
  of(form: string, params: Record<string, string>): string | Uint8Array<ArrayBuffer>;
}

const FORM = 'application/x-www-form-urlencoded';
const wide = (text: string) => Uint8Array.from(Buffer.from(text, 'utf16le'));

/** Good parameters in a body of another kind: nothing of them is read. */
export const BODIES: Record<string, Body> = {
  JSON: { type: 'application/json', of: (_form, params) => JSON.stringify(params) },
  'JSON that says it is a form': { type: FORM, of: (_form, params) => JSON.stringify(params) },
  'a list': { type: 'application/json', of: () => '[1,2]' },
  'a form that says it is JSON': { type: 'application/json', of: (form) => form },
  'a form that says it is text': { type: 'text/plain', of: (form) => form },
  'a form that says nothing': { type: '', of: (form) => form },
  'a form of two types': { type: `${FORM}, application/json`, of: () => '' },
  'many parts': {
    type: 'multipart/form-data; boundary=x',
    of: (_form, params) =>
      Object.entries(params)
        .map(([name, value]) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
        .join('')
        .concat('--x--\r\n'),
  },
  XML: { type: 'application/xml', of: () => '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>' },
  nothing: { type: FORM, of: () => '' },
  'ampersands alone': { type: FORM, of: () => '&'.repeat(5_000) },
  'two octets for each character': { type: `${FORM}; charset=utf-8`, of: (form) => wide(form) },
  'a charset that nobody knows': { type: `${FORM}; charset=nonsense`, of: () => '' },
  'many parameters': { type: FORM, of: () => Array.from({ length: 5_000 }, (_, i) => `p${i}=1`).join('&') },
  'a mebibyte': { type: FORM, of: (form) => `${form}&x=${'a'.repeat(1024 * 1024)}` },
};

const CODES = ['invalid_request', 'invalid_client'];

export async function attackWithBodies(postern: Postern, target: Target): Promise<string[]> {
  const found: string[] = [];
  for (const [what, { type, of }] of Object.entries(BODIES)) {
    const { params, headers } = await target.good();
    const body = of(encodeForm(params), params);
    const answer = await send(`${postern.url}${target.path}`, {
      method: 'POST',
      headers: { ...headers, ...(type === undefined ? {} : { 'content-type': type }) },
      body,
    });
    found.push(...faultsOfRefusal(answer, CODES).map((problem) => `${what}: ${problem}`));
  }
  return found;
}
