// For scripts/structure.mjs, which shows it the sources as JavaScript. The directions that docs/architecture.md draws: kernel ← platform ← features, kernel ← platform ← oidc; the
// composition sees all, the command line sees the composition.
const generated = '^src/generated/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Types included: two files that need each other are one file, or lack a third.',
      severity: 'error',
      from: { pathNot: generated },
      to: { circular: true, viaOnly: { pathNot: generated } },
    },
    {
      name: 'kernel-is-pure',
      comment: 'The kernel knows nothing but itself, the language, and how to say what a value must look like.',
      severity: 'error',
      from: { path: '^src/kernel/' },
      to: { pathNot: ['^src/kernel/', '^(node:)?crypto$', 'node_modules/zod/'] },
    },
    {
      name: 'platform-knows-no-feature',
      severity: 'error',
      from: { path: '^src/platform/' },
      to: { path: '^src/', pathNot: ['^src/platform/', '^src/kernel/', generated] },
    },
    {
      name: 'feature-knows-no-other-feature',
      comment: 'It says what it needs in a Needs type, and the composition joins them.',
      severity: 'error',
      from: { path: '^src/features/([^/]+)/' },
      to: { path: '^src/', pathNot: ['^src/features/$1/', '^src/platform/', '^src/kernel/', generated] },
    },
    {
      name: 'oidc-knows-no-feature',
      severity: 'error',
      from: { path: '^src/oidc/' },
      to: { path: '^src/', pathNot: ['^src/oidc/', '^src/platform/', '^src/kernel/', generated] },
    },
    {
      name: 'prisma-in-stores-only',
      comment: 'What the tables look like is known in few places.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [
          generated,
          '^src/features/[^/]+/[^/]*store[.]js$',
          '^src/oidc/[^/]*(adapter|store)[.]js$',
          '^src/platform/(db|audit|limits|jobs|crypto)/',
        ],
      },
      to: { path: [generated, 'node_modules/@prisma/', 'node_modules/pg/'], pathNot: 'types[.]ts$' },
    },
    {
      name: 'settings-are-read-in-one-place',
      comment: 'Nothing but the entrance and the command line loads the settings.',
      severity: 'error',
      from: { path: '^src/(features|oidc)/' },
      to: { path: '^src/platform/config/load[.]js$' },
    },
    {
      name: 'entrance-only',
      comment: 'Only the entrance and the command line build the product.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(serve|cli)/', '^src/main[.]js$'] },
      to: { path: ['^src/(serve|cli)/(?!services[.]js$)', '^src/app[.]js$', '^src/main[.]js$'] },
    },
    {
      name: 'no-test-code',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: ['^test/'] },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-dev-dependency',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', generated] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
