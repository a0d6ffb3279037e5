import { describe, expect, test } from '@jest/globals';
import { isSlipwayError } from '../../../src/base/errors.ts';
import type { Facts } from '../../../src/facts/facts.ts';
import { parseFacts } from '../../../src/facts/parse.ts';
import { output } from './fixture.ts';

/** The facts of a host that says some lines otherwise than a well-meaning one. */
function told(...changes: readonly (readonly [said: string | RegExp, instead: string])[]): Facts {
  const text = changes.reduce((all, [said, instead]) => {
    const changed = all.replace(said, () => instead);
    if (changed === all) throw new Error(`the fixture has no ${String(said)}`);
    return changed;
  }, output('bookworm'));
  return parseFacts(text, 0, 'w-1');
}

const HOSTNAME = '/proc/sys/kernel/hostname:cp-1';
const payloads = [
  'w-1;touch /tmp/x;',
  '$(id)',
  '`id`',
  "w-1' 'x",
  'w-1"',
  'w 1',
  'w-1/..',
  'w-1\\',
  'w-1\u001b[2K',
  'w\u00e4-1',
  'w-1\u202e',
  'a=b',
];

describe('a hostname', () => {
  const refusal = (name: string): unknown => {
    try {
      return told([HOSTNAME, `/proc/sys/kernel/hostname:${name}`]).hostname;
    } catch (error) {
      return error;
    }
  };

  test.each(payloads)('is refused, with its host: %j', (name) => {
    const error = refusal(name);
    expect(isSlipwayError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'HOST_NAME_INVALID', category: 'refused', where: { host: 'w-1' } });
  });

  test('is refused for what stands on its first line, too', () => {
    expect(refusal('w-1;id\n/proc/sys/kernel/hostname:w-1')).toMatchObject({ code: 'HOST_NAME_INVALID' });
  });

  test('is shown without what a terminal would obey, and cut', () => {
    const { message } = refusal(`\u001b]0;x\u0007${'a '.repeat(500)}`) as Error;
    expect(message).toMatch(/^w-1: its hostname ".*\.\.\." cannot be a node name$/);
    expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(message.length).toBeLessThan(120);
  });

  test.each(['web_1', 'Web-1', 'web.example.org', '-web', 'localhost'])('is left to the preflight checks: %s', (name) => {
    expect(refusal(name)).toBe(name);
  });
});

describe('what is no such thing is left out', () => {
  test.each([
    ['an interface', [['2: host0@if82: <', '2: eth0;id: <'] as const, ['2: host0    inet ', '2: eth0;id    inet '] as const]],
    ['an address', [[/inet [\d.]+\/24/, 'inet 10.0.0.999/24'] as const]],
    ['a prefix', [[/(?<=inet [\d.]+)\/24/, '/33'] as const]],
  ])('%s', (_, changes) => {
    const addresses = (facts: Facts): string[] =>
      facts.interfaces.flatMap((device) => device.addresses.map(({ address }) => address)).filter((address) => address.startsWith('10.'));
    expect(addresses(told())).toHaveLength(1);
    expect(addresses(told(...changes))).toEqual([]);
  });

  test('a source, a device and a gateway of routes', () => {
    const routes = (line: string): Facts['routes'] =>
      told([/^default .*$/m, line]).routes.filter(({ destination }) => destination === 'default');
    expect(routes('default via 10.0.0.1 dev eth0 src 10.0.0.2')).toMatchObject([{ via: '10.0.0.1', device: 'eth0', source: '10.0.0.2' }]);
    expect(routes('default via $(id) dev eth0;id src 10.0.0.2;id')).toEqual([
      { destination: 'default', via: undefined, device: '', source: undefined },
    ]);
    expect(told([/^default .*$/m, '10.0.0.0.0/99 dev eth0']).routes.map(({ destination }) => destination)).not.toContain('10.0.0.0.0/99');
  });

  test('a way to another host', () => {
    const ways = (line: string): Facts['routesTo'] => told(['@facts ways', `@facts ways\n${line}`]).routesTo;
    expect(ways('to 10.0.0.9 10.0.0.9 dev eth0 src 10.0.0.2 uid 0')).toMatchObject({ '10.0.0.9': { device: 'eth0', source: '10.0.0.2' } });
    expect(ways('to 10.0.0.9 10.0.0.9 dev eth0 src 10.0.0.2;id uid 0')['10.0.0.9']).toBeUndefined();
    expect(Object.keys(ways('to __proto__ 10.0.0.9 dev eth0 src 10.0.0.2 uid 0'))).not.toContain('__proto__');
  });

  test('a name server', () => {
    const servers = (...lines: string[]): readonly string[] =>
      told([/^nameserver .*$/m, lines.map((line) => `nameserver ${line}`).join('\n')]).resolvConf.nameservers;
    expect(servers('10.0.0.2', '8.8.8.8;id>f;', '$(id)', 'fe80::1%eth0', 'fe80::1%$(id)', '::ffff:1.2.3.4')).toEqual([
      '10.0.0.2',
      'fe80::1%eth0',
      '::ffff:1.2.3.4',
    ]);
  });

  test('a number', () => {
    const { cpus, memory } = told([/^cpus .*$/m, 'cpus -1e9'], [/^MemTotal: .*$/m, 'MemTotal: Infinity kB']);
    expect({ cpus, total: memory.total }).toEqual({ cpus: 1, total: 0 });
  });

  test('a processor, a kernel and a machine id', () => {
    const facts = told([/^arch .*$/m, 'arch x86$(id)'], [/^kernel .*$/m, 'kernel 6.1;id'], [/machine-id:.*$/m, 'machine-id:a b']);
    expect([facts.arch, facts.kernel, facts.machineId]).toEqual(['', '', '']);
  });

  test('a character that a terminal would obey', () => {
    const { os } = told([/^PRETTY_NAME=.*$/m, 'PRETTY_NAME="Debian\u001b[2J\u009b1m"']);
    expect(os.prettyName).toBe('Debian\ufffd[2J\ufffd1m');
  });
});
