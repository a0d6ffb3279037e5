import type { Facts } from '../facts/facts.ts';
import type { Component } from './component.ts';
import { BIN, isNode, UNITS } from './topology.ts';

/** Where containerd is on a host. */
export interface ContainerdPlace {
  /** `NAME.service`. */
  unit: string;
  config: string;
  /** What it keeps, and what it keeps until the next boot. */
  root: string;
  state: string;
  socket: string;
}

const place = (unit: string, { config, name }: { config: string; name: string }): ContainerdPlace => ({
  unit,
  config,
  root: `/var/lib/${name}`,
  state: `/run/${name}`,
  socket: `/run/${name}/containerd.sock`,
});
const usual = place('containerd.service', { config: '/etc/containerd', name: 'containerd' });
const beside = place('slipway-containerd.service', { config: '/etc/slipway/containerd', name: 'slipway-containerd' });

/** Its usual place, or another when somebody else's containerd (docker's) has that: it goes on as if we were not there. */
export function containerdPlace({ containerdBeside }: Pick<Facts, 'containerdBeside'>): ContainerdPlace {
  return containerdBeside ? beside : usual;
}

/** ctr of this host, as shell text, for the namespace of Kubernetes and whichever of the places is taken. */
export const CTR = `${BIN}/ctr --address=$(ls ${beside.socket} 2>/dev/null || echo ${usual.socket}) -n k8s.io`;

export const containerd: Component = {
  name: 'containerd',
  summary: 'The container runtime, with runc and the CNI plugins.',
  runsOn: isNode,
  rollout: 'batches',
  ownedPaths: [usual.config, ...[usual, beside].map(({ unit }) => `${UNITS}/${unit}`)],
  sharedPaths: ['/etc/cni', '/etc/cni/net.d'],
  declare({ cluster, facts, versions, images }) {
    const here = containerdPlace(facts);
    const certs = `${here.config}/certs.d`;
    const nri = facts.containerdBeside ? here.state : '/run/nri';
    return {
      artefacts: ['containerd', 'runc', 'cni-plugins'],
      directories: [
        { path: here.config, mode: '0755' },
        // Before containerd makes them itself, and they look as if they had been there.
        { path: '/etc/cni', mode: '0755' },
        { path: '/etc/cni/net.d', mode: '0700' },
        { path: certs, mode: '0755' },
        ...cluster.runtime.registryMirrors.map(({ registry }) => ({ path: `${certs}/${registry}`, mode: '0755' })),
      ],
      links: { [CNI_PLUGINS]: `cni-plugins/${versions.cniPlugins}` },
      files: [
        {
          path: `${here.config}/config.toml`,
          from: {
            template: 'containerd/config.toml.hbs',
            data: {
              ...here,
              certs,
              nri: `${nri}/nri.sock`,
              opt: `${here.root}/opt`,
              pauseImage: images.pause,
              cniPlugins: CNI_PLUGINS,
              runc: `${BIN}/runc`,
              systemdCgroup: facts.kernelFeatures.cgroup === 2,
              // Without CAP_SYS_RESOURCE a negative oom_score_adj cannot be set, and runc fails every sandbox that asks for one.
              restrictOomScoreAdj: !facts.kernelFeatures.oomScoreAdjNegative,
            },
          },
        },
        ...cluster.runtime.registryMirrors.map(({ registry, endpoints }) => ({
          path: `${certs}/${registry}/hosts.toml`,
          from: { template: 'containerd/hosts.toml.hbs', data: { registry, endpoints } },
          mode: '0644',
          reloaded: true,
        })),
      ],
      unit: {
        name: here.unit,
        path: `${UNITS}/${here.unit}`,
        template: 'containerd/containerd.service.hbs',
        makes: [here.root, here.state, nri, '/var/lib/cni'],
        data: { binary: `${BIN}/containerd`, path: `${BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` },
        flags: [{ name: 'config', value: `${here.config}/config.toml` }],
      },
    };
  },
};

/** A link to the directory of the version in use. */
export const CNI_PLUGINS = '/opt/slipway/cni';
