import type { Component } from './component.ts';
import { BIN, isNode, UNITS } from './topology.ts';

export const containerd: Component = {
  name: 'containerd',
  summary: 'The container runtime, with runc and the CNI plugins.',
  runsOn: isNode,
  owns: ['/etc/containerd', `${UNITS}/containerd.service`],
  makes: ['/run/containerd', '/run/nri', '/opt/containerd', '/var/lib/cni'],
  fills: ['/var/lib/containerd', '/etc/cni', '/etc/cni/net.d'],
  declare: ({ cluster, facts, versions, images }) => ({
    artefacts: ['containerd', 'runc', 'cni-plugins'],
    directories: [
      { path: '/etc/containerd', mode: '0755' },
      // Before containerd makes them itself, and they look as if they had been there.
      { path: '/etc/cni', mode: '0755' },
      { path: '/etc/cni/net.d', mode: '0700' },
      { path: '/etc/containerd/certs.d', mode: '0755' },
      ...cluster.runtime.registryMirrors.map(({ registry }) => ({ path: `/etc/containerd/certs.d/${registry}`, mode: '0755' })),
    ],
    links: { [CNI_PLUGINS]: `cni-plugins/${versions.cniPlugins}` },
    files: [
      {
        path: '/etc/containerd/config.toml',
        from: {
          template: 'containerd/config.toml.hbs',
          data: {
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
        path: `/etc/containerd/certs.d/${registry}/hosts.toml`,
        from: { template: 'containerd/hosts.toml.hbs', data: { registry, endpoints } },
        mode: '0644',
        reloaded: true,
      })),
    ],
    unit: {
      name: 'containerd.service',
      path: `${UNITS}/containerd.service`,
      template: 'containerd/containerd.service.hbs',
      data: { binary: `${BIN}/containerd`, path: `${BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` },
    },
  }),
};

/** A link to the directory of the version in use. */
export const CNI_PLUGINS = '/opt/slipway/cni';
