import tseslint from 'typescript-eslint';
import slipway from './test/lint/rules.js';

const product = ['src/**/*.ts', 'playbooks/**/*.ts'];
const printing = ['exit', 'exitCode', 'stdout', 'stderr', 'stdin', 'argv'];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', 'test/fixtures/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.js', '**/*.mjs'],
    rules: { eqeqeq: 'error', 'no-undef': 'off', 'no-unused-vars': 'error', 'prefer-const': 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // Objects of functions are taken apart freely: nothing here uses `this`.
      '@typescript-eslint/unbound-method': 'off',
      // What an interface declares as asynchronous stays so where it has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // The first of several errors, or an unknown one, is thrown on as it is.
      '@typescript-eslint/only-throw-error': 'off',
    },
  },
  {
    files: product,
    plugins: { slipway },
    rules: { 'slipway/rooms': 'error', 'slipway/pure': 'error', 'max-params': ['error', 3] },
  },
  {
    // The only room that prints, asks or ends the program.
    files: product,
    ignores: ['src/cli/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': ['error', ...printing.map((property) => ({ object: 'process', property }))],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Parsed documents are looked into as they are; the expectations check them.
      ...Object.fromEntries(
        ['argument', 'assignment', 'call', 'member-access', 'return'].map((name) => [`@typescript-eslint/no-unsafe-${name}`, 'off']),
      ),
    },
  },
);
