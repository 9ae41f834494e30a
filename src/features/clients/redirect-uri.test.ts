import { describe, expect, test } from '@jest/globals';
import type { ApplicationType } from '../../kernel/application.ts';
import { redirectUriProblem } from './redirect-uri.ts';

const cases: [ApplicationType[], string, string | undefined][] = [
  [['web', 'spa', 'native'], 'https://shop.example.com/callback', undefined],
  [['web', 'spa', 'native'], 'https://shop.example.com/callback?tenant=1', undefined],
  [['web', 'spa', 'native'], 'http://localhost:8080/callback', undefined],
  [['web', 'spa', 'native'], 'http://127.0.0.1/callback', undefined],
  [['web', 'spa', 'native'], 'http://[::1]:3000/callback', undefined],
  [['native'], 'com.example.app:/callback', undefined],
  [['native'], 'com.example.app://callback', undefined],
  [['web', 'spa'], 'https://localhost:8443/callback', undefined],
  [['native'], 'https://localhost:8443/callback', 'https_loopback'],
  [['web', 'spa'], 'javascript:alert(1)', 'scheme'],
  [['native'], 'javascript:alert(1)', 'private_scheme'],
  [['web', 'spa'], 'JavaScript:alert(1)', 'scheme'],
  [['web', 'spa'], 'data:text/html,x', 'scheme'],
  [['native'], 'data:text/html,x', 'private_scheme'],
  [['web', 'spa'], 'com.example.app:/callback', 'scheme'],
  [['native'], 'app:/callback', 'private_scheme'],
  [['native'], 'app.:/callback', 'private_scheme'],
  [['web', 'spa', 'native'], 'https://*.example.com/', 'wildcard'],
  [['web', 'spa', 'native'], 'https://shop.example.com/*', 'wildcard'],
  [['web', 'spa', 'native'], 'http://shop.example.com/', 'http'],
  [['web', 'spa', 'native'], 'http://10.0.0.1/', 'http'],
  [['web', 'spa', 'native'], 'http://localhost.example.com/', 'http'],
  [['web', 'spa', 'native'], 'https://shop.example.com/#part', 'fragment'],
  [['native'], 'com.example.app:/callback#part', 'fragment'],
  [['web', 'spa', 'native'], 'https://ann@shop.example.com/', 'userinfo'],
  [['web', 'spa', 'native'], 'https://@shop.example.com/', 'userinfo'],
  [['web', 'spa', 'native'], 'http://127.0.0.1@example.com/', 'userinfo'],
  [['web', 'spa', 'native'], 'https:shop.example.com', 'invalid'],
  [['web', 'spa', 'native'], 'https:///shop.example.com', 'invalid'],
  [['web', 'spa', 'native'], 'https://shop.example.com\\@example.org/', 'invalid'],
  [['web', 'spa', 'native'], 'https://shop.example.com/a b', 'invalid'],
  [['web', 'spa', 'native'], 'https://shöp.example.com/', 'invalid'],
  [['web', 'spa', 'native'], '//shop.example.com/', 'invalid'],
  [['web', 'spa', 'native'], '/callback', 'invalid'],
  [['web', 'spa', 'native'], 'https://shop.example.com/\u0000', 'invalid'],
];

describe('S4 redirect URIs', () => {
  test.each(cases)('%s %s: %s', (types, uri, problem) => {
    const expected = problem === undefined ? undefined : `clients.redirect_uri_${problem}`;
    for (const type of types) expect(redirectUriProblem(type, uri)).toBe(expected);
  });
});
