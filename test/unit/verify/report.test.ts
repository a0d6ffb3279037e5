import { describe, expect, test } from '@jest/globals';
import { componentVersions } from '../../../src/artifacts/catalogue.ts';
import type { Answer } from '../../../src/checks/verify/index.ts';
import { verifyError } from '../../../src/cli/verify.ts';
import { junit, reportOf, reportText } from '../../../src/cli/verify-report.ts';
import { painter } from '../../../src/cli/style.ts';
import { clusterOf } from '../preflight/hosts.ts';

const answers: Answer[] = [
  {
    id: 'units',
    title: 'Every unit is active',
    ok: 'fail',
    message: 'w-1: kubelet.service is "inactive" & <odd>',
    hint: 'start it',
    evidence: 'w-1 kubelet.service:\n  \u001bStopped',
    findings: [{ ok: 'fail', hosts: ['w-1'], what: 'kubelet.service is inactive' }],
  },
  { id: 'certificates', title: 'No certificate ends soon', ok: 'warn', message: 'w-1: ends in 3 days' },
  { id: 'nodes', title: 'Every node is Ready', ok: 'pass', message: '3 nodes' },
  { id: 'dns', title: 'Pods reach a Service by its name', ok: 'untried', message: 'not tried: no pod runs' },
];
const report = reportOf(answers, {
  cluster: clusterOf(),
  versions: componentVersions('1.36.3'),
  time: new Date('2026-11-21T12:00:00Z'),
  ms: 4321,
});

describe('a report', () => {
  test('counts, and is not ok when a check fails', () => {
    expect(report).toMatchObject({
      kind: 'VerifyReport',
      cluster: 'prod',
      ok: false,
      seconds: 4.32,
      summary: { pass: 1, warn: 1, fail: 1, untried: 1 },
      hosts: ['cp-1', 'w-1', 'w-2'],
    });
  });

  test('is not ok when a check was not tried, whatever the others say', () => {
    const about = { cluster: clusterOf(), versions: componentVersions('1.36.3'), time: new Date(0), ms: 0 };
    expect(reportOf(answers.slice(1, 3), about).ok).toBe(true);
    expect(reportOf(answers.slice(1), about).ok).toBe(false);
  });

  test('as text has a line for what passes, and the way out for what does not', () => {
    expect(reportText(report, painter(false))).toBe(`FAIL  Every unit is active
      w-1: kubelet.service is "inactive" & <odd>
      | w-1 kubelet.service:
      |   \u001bStopped
      next: start it
warn  No certificate ends soon
      w-1: ends in 3 days
ok    Every node is Ready               3 nodes
-     Pods reach a Service by its name
      not tried: no pod runs

prod: 1 passed, 1 with warnings, 1 failed, 1 not tried (4.3 s)`);
  });

  test('as JUnit XML keeps to XML', () => {
    const xml = junit(report);
    expect(xml).toContain(
      '<testsuite name="prod" tests="4" failures="1" errors="0" time="4.32" skipped="1" timestamp="2026-11-21T12:00:00">',
    );
    expect(xml).toContain(
      '<failure message="w-1: kubelet.service is &quot;inactive&quot; &amp; &lt;odd&gt;">w-1 kubelet.service:&#10;  Stopped&#10;next: start it</failure>',
    );
    expect(xml).toContain(
      '<testcase classname="slipway.verify.certificates" name="No certificate ends soon"><system-out>warning: w-1: ends in 3 days</system-out></testcase>',
    );
    expect(xml).toContain('<skipped message="not tried: no pod runs"/>');
    expect(xml.match(/<testcase /g)).toHaveLength(4);
    expect(xml).not.toContain('\u001b');
  });
});

describe('what apply throws', () => {
  test('holds an error for each check that fails, with its host, hint and evidence', () => {
    expect(verifyError(answers)).toMatchObject({
      code: 'VERIFY_FAILED',
      category: 'failed',
      errors: [{ code: 'VERIFY_UNITS', where: { host: 'w-1' }, hint: 'start it', evidence: expect.stringContaining('kubelet.service') }],
    });
  });

  test('is nothing when there are only warnings', () => {
    expect(verifyError(answers.slice(1))).toBeUndefined();
  });
});
