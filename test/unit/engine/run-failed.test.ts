import { describe, expect, test } from '@jest/globals';
import type { SlipwayErrors } from '../../../src/base/errors.ts';
import type { Failure } from '../../../src/engine/execute.ts';
import { runFailed } from '../../../src/engine/run-failed.ts';
import type { Action, Step } from '../../../src/engine/step.ts';
import { connectionLost } from '../../../src/remote/errors.ts';

function failure(id: string, { action, ...rest }: Partial<Failure> & { action: Action }): Failure {
  const step: Step = { id, host: id.split('/')[0]!, phase: 'p', words: id, reason: 'missing', lane: 'main', needs: [], action };
  return { step, message: `could not ${id}`, evidence: '', ...rest };
}

const file: Action = { kind: 'file', path: '/etc/a', mode: '0600', owner: 'root:root', content: { text: '' } };
const artefact: Action = { kind: 'artefact', name: 'kubelet', version: '1' };

function errorsOf(...failures: Failure[]) {
  const error = runFailed({ failures, done: 3, skipped: 4, stopped: false }) as SlipwayErrors;
  return error.errors.map(({ code, message, where, hint }) => ({ code, message, host: where.host, hint }));
}

describe('a run that failed', () => {
  test('tells a lost connection once for each host, however many of its steps it ended', () => {
    const lost = (host: string, id: string): Failure => {
      const cause = connectionLost(host);
      return failure(`${host}/${id}`, { action: file, message: cause.message, cause });
    };
    expect(errorsOf(lost('a', 'x'), lost('a', 'y'), lost('b', 'x'))).toMatchObject([
      { code: 'REMOTE_CONNECTION_LOST', host: 'a', hint: expect.stringContaining('same command again') },
      { code: 'REMOTE_CONNECTION_LOST', host: 'b' },
    ]);
  });

  test.each([
    ['what a program names', file, "mkdir: cannot create directory '/opt/slipway/x': No space left on device", '/opt/slipway/x'],
    [
      'what a daemon names',
      { kind: 'wait', condition: 'true', timeoutSeconds: 1 } as const,
      '{"caller":"etcdmain/etcd.go:204","error":"open /var/lib/etcd/member/wal.tmp: no space left on device"}',
      '/var/lib/etcd/member/wal.tmp',
    ],
    ['what the step writes', file, "head: error writing 'standard output': No space left on device", '/etc/a'],
    ['where artefacts go', artefact, 'tar: kubelet: Cannot write: No space left on device', '/opt/slipway'],
    ['a write of which the beginning found room', artefact, 'tar: kubelet: Wrote only 4608 of 10240 bytes', '/opt/slipway'],
  ])('because of a full disk says where: %s', (_, action, evidence, place) => {
    expect(errorsOf(failure('a/step', { action, evidence }))).toEqual([
      {
        code: 'DISK_FULL',
        message: `could not a/step: no space left in ${place}`,
        host: 'a',
        hint: 'make room on a (df -h and df -i there show what is full), then run the same command again',
      },
    ]);
  });

  test('keeps every step that failed for reasons of its own', () => {
    expect(errorsOf(failure('a/x', { action: file }), failure('a/y', { action: file }))).toHaveLength(2);
  });
});
