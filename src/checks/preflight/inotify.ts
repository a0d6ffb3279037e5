import { finding, perHost, type PreflightCheck } from './preflight.ts';

/** A limit of the machine and each user: the kubelet, containerd, systemd and every pod that watches files as root take from one budget. */
export const inotify: PreflightCheck = {
  id: 'inotify',
  title: 'There are inotify instances enough',
  run: (context) =>
    perHost(context, ({ name }, { container, kernelFeatures: { inotifyInstances } }) => {
      // A container shares the budget of its machine with its siblings, and cannot raise it.
      const least = container === undefined ? 128 : 1024;
      if (inotifyInstances >= least) return [];
      return [
        finding('warning', name, {
          what: `fs.inotify.max_user_instances is ${inotifyInstances}: kubelets then fail with "too many open files"`,
          hint: `Run sysctl -w fs.inotify.max_user_instances=8192${container === undefined ? '' : ' on the machine that carries this container'}, and write it to /etc/sysctl.d/ there.`,
        }),
      ];
    }),
};
