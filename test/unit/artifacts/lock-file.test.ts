import { describe, expect, test } from '@jest/globals';
import { contentDigest, sumsText } from '../../../src/artifacts/digest.ts';
import { checkAgainstLock, emptyLock, formatLock, lockedIn, mergeLock, parseLock } from '../../../src/artifacts/lock-file.ts';
import type { LockedArtefact } from '../../../src/artifacts/types.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);
const runc: LockedArtefact = {
  name: 'runc',
  version: '1.5.2',
  arch: 'amd64',
  source: 'go:example.com/runc@v1.5.2 (go1.26.8)',
  files: { runc: a },
};
const etcd: LockedArtefact = { name: 'etcd', version: '3.6.8', arch: 'amd64', source: 'x', files: { etcdutl: b, etcd: a, etcdctl: a } };

describe('cluster.lock', () => {
  test('has a stable order, whatever the order of what it holds', () => {
    const text = formatLock({ version: 1, artifacts: [runc, etcd, { ...runc, arch: 'arm64' }] });
    expect(text).toBe(formatLock({ version: 1, artifacts: [{ ...runc, arch: 'arm64' }, etcd, runc] }));
    expect(text).toBe(`version: 1
artifacts:
  - name: etcd
    version: 3.6.8
    arch: amd64
    source: x
    files:
      etcd: ${a}
      etcdctl: ${a}
      etcdutl: ${b}
  - name: runc
    version: 1.5.2
    arch: amd64
    source: go:example.com/runc@v1.5.2 (go1.26.8)
    files:
      runc: ${a}
  - name: runc
    version: 1.5.2
    arch: arm64
    source: go:example.com/runc@v1.5.2 (go1.26.8)
    files:
      runc: ${a}
`);
  });

  test('reads back what it wrote, also versions and digests that look like numbers', () => {
    const odd: LockedArtefact = { ...runc, version: '3.10', files: { runc: '1'.repeat(64), '2': '0'.repeat(63) + '7' } };
    expect(parseLock(formatLock({ version: 1, artifacts: [odd] }), 'cluster.lock').artifacts).toEqual([odd]);
  });

  test.each([
    ['a digest that is too short', formatLock({ version: 1, artifacts: [runc] }).replace(a, 'aaaa'), 8],
    ['a file name that leaves its directory', formatLock({ version: 1, artifacts: [runc] }).replace('runc: a', '../runc: a'), 8],
    ['an unknown lock version', 'version: 2\nartifacts: []\n', 1],
    ['broken YAML', 'version: 1\nartifacts: [\n', 3],
  ])('names the line of %s', (_, text, line) => {
    expect(() => parseLock(text, 'cluster.lock')).toThrow(
      expect.objectContaining({
        code: 'ARTIFACT_LOCK_INVALID',
        category: 'usage',
        where: expect.objectContaining({ file: 'cluster.lock', line }),
      }),
    );
  });

  test('keeps what it has when entries are added, and replaces those of the same version and architecture', () => {
    const merged = mergeLock({ version: 1, artifacts: [runc, etcd] }, [
      { ...runc, files: { runc: b } },
      { ...runc, version: '1.5.3' },
    ]);
    expect(merged.artifacts).toHaveLength(3);
    expect(lockedIn(merged, runc)!.files).toEqual({ runc: b });
  });
});

describe('bytes that are not those of the lock', () => {
  const lock = { version: 1 as const, artifacts: [runc, etcd] };

  test('are refused with what was expected, what came, and the way out', () => {
    expect(() => checkAgainstLock(lock, [{ ...runc, files: { runc: b } }], 'cluster.lock')).toThrow(
      expect.objectContaining({
        code: 'ARTIFACT_LOCK_MISMATCH',
        category: 'failed',
        message: 'runc 1.5.2 (amd64) from go:example.com/runc@v1.5.2 (go1.26.8) is not what cluster.lock says',
        evidence: expect.stringContaining(`runc: expected ${a}, got ${b}`),
        hint: expect.stringContaining('slipway artifacts lock'),
      }),
    );
  });

  test('are all named at once', () => {
    const got = [
      { ...runc, files: { runc: b } },
      { ...etcd, files: { etcd: a, etcdctl: a } },
    ];
    expect(() => checkAgainstLock(lock, got, 'cluster.lock')).toThrow(
      expect.objectContaining({
        message: '2 artefacts are not what cluster.lock says',
        evidence: expect.stringContaining(`etcdutl: expected ${b}, got no such file`),
      }),
    );
  });

  test('do not include what the lock does not know', () => {
    expect(() => checkAgainstLock(emptyLock, [runc], 'cluster.lock')).not.toThrow();
  });
});

test('an artefact is recognised by its sums, sorted by name', () => {
  expect(sumsText(etcd.files)).toBe(`${a}  etcd\n${a}  etcdctl\n${b}  etcdutl\n`);
  expect(contentDigest(etcd.files)).toBe(contentDigest({ etcd: a, etcdctl: a, etcdutl: b }));
  expect(contentDigest(etcd.files)).not.toBe(contentDigest({ etcd: a, etcdctl: b, etcdutl: b }));
});
