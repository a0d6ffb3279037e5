import { finding, isOurs, list, perHost, type PreflightCheck } from './preflight.ts';

/** How each kind of installation is taken away by its own means. */
const remedies: Readonly<Record<string, string>> = {
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
  cni: 'Remove the file if nothing uses it: the container runtime takes the first configuration it finds.',
  unit: 'Stop it and remove it, with its package if it came with one: the name is needed.',
};

const words: Readonly<Record<string, string>> = {
  cni: 'a network configuration of somebody else is there',
  unit: 'a systemd unit with the name of one of ours is there',
  rancher: 'traces of an RKE or Rancher installation are there',
};

export const leftovers: PreflightCheck = {
  id: 'leftovers',
  title: 'No other installation is in the way',
  run: (context) =>
    perHost(context, ({ name }, facts) => {
      const { cluster } = context;
      if (facts.cluster !== undefined && facts.cluster !== cluster.name)
        return [
          finding('error', name, {
            what: `it belongs to another cluster of ours, ${facts.cluster}`,
            hint: `Take it out there first: slipway remove ${name} with the cluster file of ${facts.cluster}.`,
          }),
        ];
      // Network configurations are ours, or of add-ons, on a host that is ours.
      const found = facts.leftovers.filter(({ of }) => of !== 'slipway' && !(of === 'cni' && isOurs(facts)));
      return [...new Set(found.map(({ of }) => of))].map((of) => {
        const paths = found.filter((one) => one.of === of).map(({ path }) => path);
        return finding('error', name, {
          what: `${words[of] ?? `traces of a ${of} installation are there`}: ${list(paths)}`,
          hint: remedies[of] ?? 'Remove that installation by its own means.',
        });
      });
    }),
};
