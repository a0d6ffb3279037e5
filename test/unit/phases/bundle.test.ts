import { describe, expect, test } from '@jest/globals';
import { apply } from '../../../playbooks/apply.ts';
import type { LockedArtefact } from '../../../src/artifacts/types.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState, type HostState } from '../../../src/engine/state.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { Context } from '../../../src/phases/context.ts';
import type { FetchParameters } from '../../../src/phases/fetch-artifacts.ts';
import { contextOf, statesAfter } from './context.ts';

const packages: LockedArtefact = {
  name: 'packages-debian-12',
  version: '2.6.12-1-deb12u4-0a1b2c3d',
  arch: 'amd64',
  source: 'apt:http://deb.debian.org/debian bookworm main',
  files: { 'haproxy.deb': 'a'.repeat(64), 'liblua5.3-0.deb': 'b'.repeat(64) },
};

const planOf = (context: Context, states: Record<string, HostState> = {}) => makePlan(apply, { ...context, states }, states).steps;
const installations = (steps: readonly Step[]) =>
  steps.filter(({ action }) => action.kind === 'package' && action.names.includes('haproxy'));
const fetched = (steps: readonly Step[]) =>
  steps.flatMap(({ action }) =>
    action.kind === 'local' && action.task === 'fetch' ? (action.parameters as FetchParameters).artefacts : [],
  );

describe('packages of a bundle', () => {
  test('are sent to the hosts of their system and installed from there', () => {
    const steps = planOf({ ...contextOf(), packages: [packages] });
    const installing = installations(steps);
    expect(installing).toHaveLength(3);
    for (const { host, needs, action, summary: words } of installing) {
      expect(words).toBe('install the package haproxy from the bundle');
      expect(needs).toEqual([`${host}/deliver-artifacts/packages-debian-12`]);
      expect(action).toMatchObject({ install: expect.stringContaining('cd /opt/slipway/packages-debian-12/2.6.12-1-deb12u4-0a1b2c3d') });
      expect(action).not.toMatchObject({ install: expect.stringContaining('apt-get') });
    }
    expect(steps.filter(({ action }) => action.kind === 'artefact' && action.name === packages.name)).toHaveLength(3);
    expect(fetched(steps).filter(({ name }) => name === packages.name)).toEqual([
      { name: packages.name, version: packages.version, arch: 'amd64', files: ['haproxy.deb', 'liblua5.3-0.deb'] },
    ]);
  });

  test.each<[string, LockedArtefact[]]>([
    ['another release', [{ ...packages, name: 'packages-debian-11' }]],
    ['another processor', [{ ...packages, arch: 'arm64' }]],
    ['something else', [{ ...packages, files: { 'socat.deb': 'a'.repeat(64) } }]],
    ['nothing', []],
  ])('are left to the host’s own package manager when the bundle has %s', (_, found) => {
    for (const { action } of installations(planOf({ ...contextOf(), packages: found })))
      expect(action).toMatchObject({ install: expect.stringMatching(/apt-get .* install/) });
  });

  test('are not sent again once they are installed', () => {
    const context = { ...contextOf(), packages: [packages] };
    const empty = Object.fromEntries(context.cluster.hosts.map(({ name }) => [name, emptyState]));
    const steps = planOf(context, statesAfter(planOf(context), empty));
    expect(installations(steps)).toEqual([]);
    expect(fetched(steps).filter(({ name }) => name === packages.name)).toEqual([]);
    expect(steps.filter(({ action }) => action.kind === 'artefact' && action.name === packages.name)).toEqual([]);
  });
});
