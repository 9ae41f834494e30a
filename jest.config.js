/** @type {import('jest').Config} */
export default {
  rootDir: import.meta.dirname,
  // Only these: the data folder may belong to another user.
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['<rootDir>/src/**/*.test.ts', '<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/src/generated/'],
  testEnvironment: 'node',
  // Node takes the types off.
  transform: {},
  extensionsToTreatAsEsm: ['.ts'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  testTimeout: 30_000,
  // All cores: jest would leave one of them idle, which on a machine with two is half of it.
  maxWorkers: '100%',
  coverageProvider: 'v8',
  coverageDirectory: '<rootDir>/coverage',
  collectCoverageFrom: ['src/**/*.ts', '!src/generated/**', '!src/**/*.test.ts'],
  workerIdleMemoryLimit: '1GB',
  watchman: false,
};
