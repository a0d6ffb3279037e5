/** Tests run as native ES modules; swc strips the types and tsc checks them in `npm run check`. */
const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  clearMocks: true,
};

export default {
  // Milliseconds; a test that takes longer hangs, even on a machine with much else to do. Jest reads it here only, not in a project.
  testTimeout: 60_000,
  projects: ['unit', 'integration', 'lab', 'soak'].map((level) => ({
    ...common,
    displayName: level,
    rootDir: import.meta.dirname,
    testMatch: [`<rootDir>/test/${level}/**/*.test.ts`],
  })),
};
