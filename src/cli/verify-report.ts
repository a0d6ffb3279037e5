import type { ComponentVersions } from '../artifacts/catalogue.ts';
import type { Answer } from '../checks/verify/index.ts';
import type { Cluster } from '../config/cluster.ts';
import { checkMarks, seconds, type Paint } from './style.ts';

/** The result of `slipway verify` for machines; a documented contract. */
export interface VerifyReport {
  apiVersion: 'slipway.dev/v1';
  kind: 'VerifyReport';
  cluster: string;
  kubernetes: string;
  hosts: readonly string[];
  /** ISO 8601 in UTC. */
  time: string;
  seconds: number;
  /** No check fails, and each was tried; there may be warnings. */
  ok: boolean;
  summary: { pass: number; warn: number; fail: number; untried: number };
  checks: readonly Answer[];
}

export function reportOf(
  checks: readonly Answer[],
  about: { cluster: Cluster; versions: ComponentVersions; time: Date; ms: number },
): VerifyReport {
  const number = (ok: Answer['ok']): number => checks.filter((check) => check.ok === ok).length;
  return {
    apiVersion: 'slipway.dev/v1',
    kind: 'VerifyReport',
    cluster: about.cluster.name,
    kubernetes: about.versions.kubernetes,
    hosts: about.cluster.hosts.map(({ name }) => name),
    time: about.time.toISOString(),
    seconds: Math.round(about.ms / 10) / 100,
    ok: number('fail') + number('untried') === 0,
    summary: { pass: number('pass'), warn: number('warn'), fail: number('fail'), untried: number('untried') },
    checks,
  };
}

const colors = { pass: 'green', warn: 'yellow', fail: 'red', untried: 'magenta' } as const;

/** A line for each check, with the evidence and the way out below those that do not pass. */
export function reportText(report: VerifyReport, paint: Paint): string {
  const width = Math.max(...report.checks.map(({ title }) => title.length));
  const lines = report.checks.flatMap(({ ok, title, message, hint, evidence }) => [
    ok === 'pass'
      ? `${paint(colors[ok], checkMarks[ok])}  ${title.padEnd(width)}  ${paint('dim', message)}`.trimEnd()
      : `${paint(colors[ok], checkMarks[ok])}  ${title}\n      ${message}`,
    ...(ok === 'pass' || evidence === undefined ? [] : evidence.split('\n').map((line) => paint('dim', `      | ${line}`))),
    ...(ok === 'pass' || hint === undefined ? [] : [`      ${paint('cyan', 'next:')} ${hint}`]),
  ]);
  const { pass, warn, fail, untried } = report.summary;
  const parts = [
    `${pass} passed`,
    ...(warn > 0 ? [`${warn} with warnings`] : []),
    ...(fail > 0 ? [paint('red', `${fail} failed`)] : []),
    ...(untried > 0 ? [`${untried} not tried`] : []),
  ];
  return `${lines.join('\n')}\n\n${report.cluster}: ${parts.join(', ')} (${seconds(report.seconds * 1000)})`;
}

/** JUnit XML as CI systems read it: one test case for each check; a warning is a passed case with output, what was not tried a skipped one. */
export function junit(report: VerifyReport): string {
  const cases = report.checks.map(({ id, title, ok, message, hint, evidence }) => {
    const details = [evidence, hint === undefined ? undefined : `next: ${hint}`].filter((part) => part !== undefined).join('\n');
    const inner =
      ok === 'fail'
        ? `<failure message="${xml(message)}">${xml(details)}</failure>`
        : ok === 'untried'
          ? `<skipped message="${xml(message)}"/>`
          : `<system-out>${xml([...(ok === 'warn' ? ['warning:'] : []), message, details].join(' ').trim())}</system-out>`;
    return `    <testcase classname="slipway.verify.${id}" name="${xml(title)}">${inner}</testcase>`;
  });
  const { fail, untried } = report.summary;
  const counts = `tests="${report.checks.length}" failures="${fail}" errors="0" time="${report.seconds}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="slipway verify" ${counts}>
  <testsuite name="${xml(report.cluster)}" ${counts} skipped="${untried}" timestamp="${report.time.replace(/\.\d+Z$/, '')}">
${cases.join('\n')}
  </testsuite>
</testsuites>
`;
}

/** Characters that XML 1.0 cannot hold at all are left out. */
function xml(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
