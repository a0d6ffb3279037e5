import { parseNetwork } from '../../config/addresses.ts';
import { finding, type PreflightCheck } from './preflight.ts';

export const capacity: PreflightCheck = {
  id: 'capacity',
  title: 'The pod network has room for every node',
  run({ cluster: { hosts, network } }) {
    const pods = parseNetwork(network.podCidr);
    if (pods === undefined) return [];
    const nodes = Math.floor(2 ** (network.nodeCidrMaskSize - pods.prefix));
    if (hosts.length > nodes)
      return [
        finding('error', [], {
          what: `network.podCidr ${network.podCidr} has room for ${nodes} nodes of /${network.nodeCidrMaskSize} each; the cluster file has ${hosts.length} hosts`,
          hint: 'Choose a wider podCidr, or a greater nodeCidrMaskSize (fewer pods on each node); neither can be changed later.',
        }),
      ];
    if (hosts.length > nodes * 0.8)
      return [
        finding('warning', [], {
          what: `network.podCidr ${network.podCidr} has room for ${nodes} nodes, of which ${hosts.length} are taken`,
          hint: 'Choose a wider podCidr if the cluster may grow: it cannot be changed later.',
        }),
      ];
    return [];
  },
};
