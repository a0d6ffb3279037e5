import { imageReference, type ComponentVersions } from '../artifacts/catalogue.ts';
import { bug } from '../base/errors.ts';
import type { Cluster, Host } from '../config/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import type { Component, Declaration } from './component.ts';
import { components } from './index.ts';

/** What declarations are made from. */
export interface Declaring {
  cluster: Cluster;
  /** By host name. */
  facts: Readonly<Record<string, Facts>>;
  versions: ComponentVersions;
}

export interface Declared {
  component: Component;
  declaration: Declaration;
}

/** What the components declare for a host. */
export function declarations({ cluster, facts, versions }: Declaring, host: Host): Declared[] {
  const own = facts[host.name];
  if (!own) throw bug(`no facts of ${host.name}`);
  const input = { cluster, host, facts: own, versions, images: { pause: imageReference('image-pause', versions.pause) } };
  const declared: Declared[] = [];
  for (const component of components.filter(({ runsOn }) => runsOn(host, cluster))) {
    const ports = declared.flatMap(({ declaration }) => declaration.ports ?? []);
    declared.push({ component, declaration: component.declare({ ...input, ports }) });
  }
  return declared;
}
