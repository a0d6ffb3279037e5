import { describe, expect, test } from '@jest/globals';
import { goModFor, goVersionOf, satisfies } from '../../../src/artifacts/go/go-mod.ts';

const upstream = `// This is a generated file.
module k8s.io/kubernetes

go 1.26.0

godebug default=go1.26

require (
	example.com/other v1.2.3 // indirect
	k8s.io/api v0.0.0
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	example.com/other => example.com/fork v1.2.4
	example.com/sibling => ../sibling
)
`;

describe('the go.mod of a build', () => {
  test('requires the module, and takes over what counts only in a main module', () => {
    expect(goModFor({ module: 'k8s.io/kubernetes', version: 'v1.36.3', require: { 'example.com/pin': 'v1.0.0' } }, upstream)).toBe(
      `module slipway.dev/build/k8s-io-kubernetes

go 1.26.0

godebug default=go1.26

require (
	k8s.io/kubernetes v1.36.3
	example.com/pin v1.0.0
)

replace (
	k8s.io/api => k8s.io/api v0.36.3
	example.com/other => example.com/fork v1.2.4
)
`,
    );
  });

  test('has no replace block when upstream has none', () => {
    expect(goModFor({ module: 'example.com/m/v2', version: 'v2.0.0', require: {} }, 'module example.com/m/v2\ngo 1.24.2\n')).not.toContain(
      'replace',
    );
  });

  test('reads the language version', () => {
    expect(goVersionOf(upstream)).toBe('1.26.0');
    expect(goVersionOf('module example.com/old\n')).toBe('1.16');
  });
});

describe('a Go toolchain', () => {
  test.each([
    ['go1.26.8', '1.26.0', true],
    ['go1.26.0', '1.26.0', true],
    ['go1.26', '1.26.1', false],
    ['go1.24.13', '1.26.0', false],
    ['go2.0', '1.26.0', true],
    ['go1.27rc1', '1.26.9', true],
    ['devel +abc', '1.26.0', true],
  ])('%s for go %s: %s', (toolchain, needed, expected) => {
    expect(satisfies(toolchain, needed)).toBe(expected);
  });
});
