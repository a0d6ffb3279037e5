import { finding, isOurs, list, perHost, type PreflightCheck } from './preflight.ts';

/** How each kind of installation is taken away by its own means. */
const origins: Readonly<Record<string, string>> = {
  kubeadm: 'Run kubeadm reset -f there, then remove /etc/kubernetes, /etc/cni/net.d and /var/lib/etcd.',
  k3s: 'Run k3s-uninstall.sh (a server) or k3s-agent-uninstall.sh (an agent) there.',
  rke2: 'Run rke2-uninstall.sh there.',
  rancher: "Run Rancher's node clean-up script there.",
  kubeasz: 'Run ezctl destroy for its cluster, then remove /opt/kube.',
  kubespray: 'Run the reset playbook of kubespray for this host.',
  kubekey: 'Run kk delete node or kk delete cluster.',
  sealos: 'Run sealos reset for its cluster.',
  k0s: 'Run k0s stop and k0s reset there.',
  microk8s: 'Run snap remove --purge microk8s there.',
  minikube: 'Run minikube delete there.',
  openshift: 'Install this host anew.',
};

/** What any of those may leave, and what we leave ourselves. */
const unclear: Readonly<Record<string, { what: string; hint: string }>> = {
  kubernetes: { what: 'a Kubernetes of unknown origin was there', hint: 'If nothing of it is needed any more, remove these paths.' },
  cni: {
    what: 'a network configuration of somebody else is there',
    hint: 'Remove the file if nothing uses it: the container runtime takes the first configuration it finds.',
  },
};

export const leftovers: PreflightCheck = {
  id: 'leftovers',
  title: 'No other installation is in the way',
  run: (context) =>
    perHost(context, ({ name }, facts) => {
      const paths = (of: string): string[] => facts.leftovers.filter((one) => one.of === of).map(({ path }) => path);
      const known = Object.entries(origins).flatMap(([of, hint]) =>
        paths(of).length === 0 ? [] : [finding('error', name, { what: `traces of ${of} are there: ${list(paths(of))}`, hint })],
      );
      // On a host of ours a unit file that does not look like ours is one that somebody damaged: apply mends it.
      const foreign = (path: string): boolean => !(isOurs(facts) && path.endsWith('.service'));
      const containerd = facts.containerdBeside ? paths('containerd') : [];
      const units = [...paths('unit'), ...(facts.containerdBeside ? [] : paths('containerd'))].filter(foreign);
      return [
        ...known,
        ...(known.length > 0 || isOurs(facts) ? [] : Object.entries(unclear))
          .filter(([of]) => paths(of).length > 0)
          .map(([of, { what, hint }]) => finding('error', name, { what: `${what}: ${list(paths(of))}`, hint })),
        units.length === 0
          ? undefined
          : finding('error', name, {
              what: `units or drop-ins with names of ours are there: ${list(units)}`,
              hint: 'Stop them and remove them, with the package that brought them (dpkg -S or rpm -qf tells which).',
            }),
        containerd.length === 0
          ? undefined
          : finding('warning', name, {
              what: `a containerd of somebody else${facts.firewall.docker ? " (docker's)" : ''} is there: ${list(containerd)}`,
              hint: 'It is left alone: ours runs beside it, as slipway-containerd.service, with a socket and directories of its own.',
            }),
      ];
    }),
};
