import { finding, perHost, size, type PreflightCheck } from './preflight.ts';

const MiB = 2 ** 20;

/** Measured with Kubernetes 1.36 and nothing else: a control plane with etcd and the node parts uses 730 MiB, a worker 150 MiB. */
const needed = { controlPlane: 1536 * MiB, worker: 700 * MiB };

export const memory: PreflightCheck = {
  id: 'memory',
  title: 'There is memory enough',
  run: (context) =>
    perHost(context, ({ name, roles }, { memory: { total } }) => {
      const controlPlane = roles.includes('control-plane') || roles.includes('etcd');
      const least = controlPlane ? needed.controlPlane : needed.worker;
      // Firmware and kernel keep some for themselves: a machine sold as 1.5 GiB shows less.
      if (total >= least * 0.93) return [];
      const what = `it has ${size(total)} of memory; a ${controlPlane ? 'control plane' : 'worker'} should have ${size(least)}`;
      return [finding('warning', name, { what, hint: 'Give it more memory, or expect processes to be killed under load.' })];
    }),
};
