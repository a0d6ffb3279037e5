/** Tests run as native ES modules; swc strips the types and tsc checks them in `npm run check`. */
const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' }, sourceMaps: 'inline' }],
  },
  clearMocks: true,
};

export default {
  projects: ['unit', 'integration', 'lab'].map((level) => ({
    ...common,
    displayName: level,
    rootDir: import.meta.dirname,
    testMatch: [`<rootDir>/test/${level}/**/*.test.ts`],
  })),
};
