import { describe, expect, test } from '@jest/globals';
import type { SlipwayErrors } from '../../../src/base/errors.ts';
import type { Failure } from '../../../src/engine/execute.ts';
import { runFailed } from '../../../src/engine/run-failed.ts';
import type { Action } from '../../../src/engine/step.ts';
import { connectionLost } from '../../../src/remote/errors.ts';
import { stepOf } from '../../helpers/spelt.ts';

function failure(id: string, { action, ...rest }: Partial<Failure> & { action: Action }): Failure {
  const step = stepOf({ id, host: id.split('/')[0]!, phase: 'p', summary: id, reason: 'missing', lane: 'main', action });
  return { step, message: `could not ${id}`, evidence: '', begun: true, ...rest };
}

const file: Action = { kind: 'file', path: '/etc/a', mode: '0600', owner: 'root:root', content: { text: '' } };
const artefact: Action = { kind: 'artefact', name: 'kubelet', version: '1' };

function errorsOf(...failures: Failure[]) {
  const error = runFailed({ failures, unfinished: [], done: 3, undone: 0, skipped: 4, stopped: false }) as SlipwayErrors;
  return error.errors.map(({ code, message, where, hint }) => ({ code, message, host: where.host, hint }));
}

describe('a run that failed', () => {
  test('tells a lost connection once for each host, however many of its steps it ended', () => {
    const lost = (host: string, id: string, begun: boolean): Failure => {
      const cause = connectionLost(host, new Error('read ECONNRESET'));
      return failure(`${host}/${id}`, { action: file, message: cause.message, begun, cause });
    };
    expect(errorsOf(lost('a', 'x', true), lost('a', 'y', true), lost('a', 'z', false), lost('b', 'x', false))).toEqual([
      {
        code: 'REMOTE_CONNECTION_LOST',
        host: 'a',
        message: 'the connection to a was lost (read ECONNRESET), in the middle of: a/x; a/y',
        hint: 'What was under way there may or may not have finished. Run the same command again: it looks at the host first.',
      },
      {
        code: 'REMOTE_CONNECTION_LOST',
        host: 'b',
        message: 'the connection to b was lost (read ECONNRESET), before it began to: b/x',
        hint: expect.stringContaining('same command again'),
      },
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

  test('names steps that were never begun, and what they wait for', () => {
    const { step } = failure('a/x', { action: file });
    const error = runFailed({
      failures: [],
      unfinished: [{ step, waitsFor: ['a/y'] }],
      done: 3,
      undone: 0,
      skipped: 0,
      stopped: false,
    }) as SlipwayErrors;
    expect(error).toMatchObject({ code: 'RUN_FAILED', category: 'failed', message: 'a step failed; 3 steps are done, 0 were not started' });
    expect(error.errors).toMatchObject([
      { code: 'STEPS_UNFINISHED', message: expect.stringContaining('a/x'), evidence: 'a/x waits for a/y' },
    ]);
  });

  test('takes the code of what its output says, for each step', () => {
    const explain = (evidence: string) => ({ evidence, hint: 'mend it', code: 'KNOWN' });
    const failures = ['a/x', 'a/y'].map((id) => failure(id, { action: file, evidence: 'it' }));
    const error = runFailed({ failures, unfinished: [], done: 0, undone: 0, skipped: 0, stopped: false }, explain) as SlipwayErrors;
    expect(error.errors.map(({ code, where, hint }) => ({ code, step: where.step, hint }))).toEqual(
      ['a/x', 'a/y'].map((step) => ({ code: 'KNOWN', step, hint: 'mend it' })),
    );
  });

  test('keeps every step that failed for reasons of its own', () => {
    expect(errorsOf(failure('a/x', { action: file }), failure('a/y', { action: file }))).toHaveLength(2);
  });
});
