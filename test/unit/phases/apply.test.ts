import { describe, expect, test } from '@jest/globals';
import { apply } from '../../../playbooks/apply.ts';
import { components } from '../../../src/components/index.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { COMPONENT_NAMES } from '../../../src/config/component-names.ts';
import type { HostState } from '../../../src/engine/state.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { Context } from '../../../src/phases/context.ts';
import { declarations } from '../../../src/components/declare.ts';
import { contextOf, stuck } from './context.ts';
import { digest, installed } from './installed.ts';
import { apiStep } from '../../../src/phases/step-ids.ts';

const planOf = ({ context, states }: { context: Context; states: Record<string, HostState> }) => makePlan(apply, context, states).steps;
const named = (steps: readonly Step[]): string[] => steps.map(({ id }) => id).sort();

describe('the plan of apply', () => {
  test('is the same for the same context, and another for another', () => {
    const digestOf = (spec?: string): string => makePlan(apply, contextOf(spec), {}).digest;
    expect(digestOf()).toBe(digestOf());
    expect(digestOf('  network: { podCidr: 10.245.0.0/16 }')).not.toBe(digestOf());
  });

  test('names no secret: contents are references or texts of templates', () => {
    expect(JSON.stringify(makePlan(apply, contextOf(), {}))).not.toMatch(/PRIVATE KEY|secretbox/);
  });

  test('has no steps that wait for each other', () => {
    expect(stuck(makePlan(apply, contextOf(), {}).steps)).toEqual([]);
  });

  test('starts what talks to the API when there is one', () => {
    const { steps } = makePlan(apply, contextOf(), {});
    const waiting = steps.filter(({ action, needs }) => action.kind === 'unit' && needs.includes(apiStep({ name: 'cp-1' })));
    const clients = ['kubelet', 'flanneld', 'kube-proxy'];
    expect(named(waiting)).toEqual(['cp-1', 'w-1', 'w-2'].flatMap((host) => clients.map((name) => `${host}/${name}/unit`)).sort());
  });

  test('is empty on a cluster that is as the file says', () => {
    expect(named(planOf(installed(contextOf())))).toEqual([]);
  });

  test('restarts what reads a changed setting, and nothing else', () => {
    const { states } = installed(contextOf());
    const { context } = installed(contextOf('  network: { flannel: { mtu: 1400 } }'));
    const units = makePlan(apply, { ...context, states }, states).steps.filter(({ action }) => action.kind === 'unit');
    expect(named(units)).toEqual(['cp-1/flanneld/unit', 'w-1/flanneld/unit', 'w-2/flanneld/unit']);
  });

  test.each(COMPONENT_NAMES)('hands a flag of the cluster file to %s', (component) => {
    const { steps } = makePlan(apply, contextOf(`  components: { ${component}: { args: { some-flag: 7 } } }`), {});
    const changed = steps.filter(
      ({ action }) => action.kind === 'file' && 'text' in action.content && action.content.text.includes('--some-flag=7'),
    );
    expect(new Set(changed.map(({ action }) => (action as { path: string }).path.split('/').at(-1)))).toEqual(
      new Set([`${component}.service`]),
    );
  });

  test('mends one file that was edited, and restarts nothing for it', () => {
    const { context, states } = installed(contextOf());
    const path = '/etc/flannel/net-conf.json';
    states['w-1'] = {
      ...states['w-1']!,
      files: { ...states['w-1']!.files, [path]: { ...states['w-1']!.files[path]!, sha256: digest('9') } },
    };
    expect(named(planOf({ context, states }))).toEqual([`w-1/flanneld/file${path}`]);
  });

  test('issues a certificate again that is gone from a host, and restarts nothing that can read it again', () => {
    const { context, states } = installed(contextOf());
    for (const path of ['/etc/kubernetes/pki/api-endpoint.crt', '/etc/kubernetes/pki/kubelet-server.crt']) {
      const { [path]: _, ...files } = states['w-1']!.files;
      states['w-1'] = { ...states['w-1']!, files };
    }
    const planned = makePlan(apply, { ...context, states }, states).steps;
    expect(planned.filter(({ host }) => host === 'operator').map(({ summary: words }) => words)).toEqual([
      'issue 2 certificates for w-1 (api-endpoint, kubelet-server)',
    ]);
    expect(named(planned.filter(({ action }) => ['unit', 'script'].includes(action.kind)))).toEqual(['w-1/api-endpoint/reload']);
  });
});

describe('a host whose hostname is another than when it was installed', () => {
  const renamed = (host: string): Context => {
    const of = contextOf();
    return { ...of, facts: { ...of.facts, 'w-1': { ...of.facts['w-1']!, hostname: 'elsewhere', cluster: { host } } } };
  };
  const written = (of: Context): string =>
    JSON.stringify(makePlan(apply, of, {}).steps.filter(({ host, action }) => host === 'w-1' && action.kind === 'file'));

  test('tells its daemons the name that it keeps; all others tell them none', () => {
    expect(written(renamed('w-1'))).toContain('--hostname-override=w-1');
    expect(written(renamed('w-1'))).toContain('hostnameOverride: \\"w-1\\"');
    for (const other of [contextOf(), renamed('w-2')]) expect(written(other)).not.toMatch(/hostname-?override/i);
  });
});

describe('components', () => {
  test('declare modes, absolute paths and a port once', () => {
    const context = contextOf();
    for (const host of context.cluster.hosts) {
      const all = declarations(context, host);
      for (const { declaration } of all) {
        for (const { path } of [...(declaration.files ?? []), ...(declaration.directories ?? [])]) expect(path).toMatch(/^\/[\w./@-]+$/);
      }
      const ports = all.flatMap(({ declaration }) => (declaration.ports ?? []).map(({ port, protocol }) => `${port}/${protocol}`));
      expect(new Set(ports).size).toBe(ports.length);
    }
  });

  test('own every file that they write, so that gathering sees it', () => {
    const context = contextOf();
    const owned = components.flatMap(({ ownedPaths: owns, sharedPaths: fills = [] }) => [...owns, ...fills]);
    const host = context.cluster.hosts[0]!;
    for (const { declaration } of declarations(context, host)) {
      const paths = [
        ...(declaration.files ?? []).map(({ path }) => path),
        ...(declaration.unit ? [declaration.unit.path] : []),
        ...(declaration.certificates ?? []).map(({ keyPath }) => keyPath),
      ];
      for (const path of paths) expect(owned.some((root) => path === root || path.startsWith(`${root}/`))).toBe(true);
    }
  });
});
