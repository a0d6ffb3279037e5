import { describe, expect, test } from '@jest/globals';
import { explainUnits, hintFor, lastWords, relevantLines } from '../../../src/checks/verify/unit-log.ts';

const at = (seconds: number, text: string): string => `2026-11-21T08:35:${String(seconds).padStart(2, '0')}+0000 w-1 kubelet[123]: ${text}`;

describe('the lines of a unit that explain', () => {
  test('are its errors, not its small talk', () => {
    const log = [
      at(1, 'I1121 08:35:01.000000     123 server.go:100] "Starting"'),
      at(2, 'E1121 08:35:02.000000     123 run.go:72] "command failed" err="unknown flag: --nonsense"'),
      '2026-11-21T08:35:03+0000 w-1 systemd[1]: kubelet.service: Main process exited, code=exited, status=1/FAILURE',
    ].join('\n');
    expect(relevantLines(log)).toEqual([
      'E1121 08:35:02.000000     123 run.go:72] "command failed" err="unknown flag: --nonsense"',
      'systemd: kubelet.service: Main process exited, code=exited, status=1/FAILURE',
    ]);
  });

  test('are said once, with their number, when only times and numbers differ', () => {
    const log = [1, 2, 3].map((n) => at(n, `E1121 08:35:0${n}.000000     12${n} run.go:72] "command failed" err="no"`)).join('\n');
    expect(relevantLines(log)).toEqual(['E1121 08:35:03.000000     123 run.go:72] "command failed" err="no" (3 times)']);
  });

  test('are those of its last minutes', () => {
    const log = `2026-11-21T07:00:00+0000 w-1 kubelet[1]: E1121 old trouble\n${at(5, 'E1121 08:35:05.0 1 a.go:1] new trouble')}`;
    expect(relevantLines(log)).toEqual(['E1121 08:35:05.0 1 a.go:1] new trouble']);
  });

  test('are few and short', () => {
    const log = Array.from({ length: 50 }, (_, n) =>
      at(n, `E1121 trouble of the kind ${'abcdefghijklmnopqrstuvwxyz'[n % 26]!}${'x'.repeat(n * 20)}`),
    ).join('\n');
    const lines = relevantLines(log, 5);
    expect(lines).toHaveLength(5);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(320);
  });

  test('are anything at all when there are no errors', () => {
    expect(relevantLines(at(1, 'waiting for something'))).toEqual(['waiting for something']);
    expect(relevantLines('')).toEqual([]);
  });

  test('know the levels of etcd, containerd and flanneld too', () => {
    const log = [
      at(1, '{"level":"info","ts":"2026-11-21T08:35:01Z","msg":"fine"}'),
      at(2, '{"level":"fatal","ts":"2026-11-21T08:35:02Z","msg":"discovery failed"}'),
      at(3, 'time="2026-11-21" level=error msg="failed to load plugin"'),
    ].join('\n');
    expect(relevantLines(log)).toEqual([expect.stringContaining('discovery failed'), expect.stringContaining('failed to load plugin')]);
  });
});

test('of a unit that somebody stopped, systemd’s last words count, with their time', () => {
  const log = `${at(1, 'E1121 trouble')}\n2026-11-21T08:35:03+0000 w-1 systemd[1]: Stopped kubelet.service - Kubernetes kubelet.`;
  expect(lastWords(log)).toEqual(['2026-11-21T08:35:03+0000 Stopped kubelet.service - Kubernetes kubelet.']);
});

test.each([
  ['open /var/lib/etcd/member/wal: no space left on device', /file system is full/],
  ['listen tcp 0.0.0.0:10250: bind: address already in use', /another process has the port/],
  ['x509: certificate has expired or is not yet valid', /certificate has ended, or the clock/],
  ['Error: unknown flag: --nonsense', /settings cannot be read/],
  ['dial tcp 127.0.0.1:2379: connect: connection refused', /etcd on this host/],
  ['Get "https://127.0.0.1:6444/api/v1/nodes": EOF', /systemctl status api-endpoint/],
])('the hint for "%s" says what to do', (line, hint) => {
  expect(hintFor(['something else', line])).toMatch(hint);
});

test('there is no hint for what is not known', () => {
  expect(hintFor(['Tuesday'])).toBeUndefined();
});

test('what a failed wait printed is cut down to what explains it', () => {
  const evidence = [
    'kube-apiserver is activating',
    'it ends again and again',
    'kube-apiserver.service is activating, restarted 13 times; its last words:',
    '2026-11-21T08:35:10+0000 cp-1 kube-apiserver[123]: I1121 08:35:10.000000 123 options.go:1] small talk',
    '2026-11-21T08:35:10+0000 cp-1 kube-apiserver[123]: Error: listen tcp 0.0.0.0:6443: bind: address already in use',
    "2026-11-21T08:35:11+0000 cp-1 systemd[1]: kube-apiserver.service: Failed with result 'exit-code'.",
  ].join('\n');
  const explained = explainUnits(evidence);
  expect(explained.evidence).toContain('restarted 13 times');
  expect(explained.evidence).toContain('address already in use');
  expect(explained.evidence).not.toContain('small talk');
  expect(explained.hint).toMatch(/another process has the port/);
  expect(explainUnits('tar: no such file')).toEqual({ evidence: 'tar: no such file' });
});
