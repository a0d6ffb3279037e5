import type { Playbook } from '../src/engine/phase.ts';
import { addons } from '../src/phases/addons.ts';
import { apiEndpoint } from '../src/phases/api-endpoint.ts';
import type { Context } from '../src/phases/context.ts';
import { controlPlane } from '../src/phases/control-plane.ts';
import { deliverArtifacts } from '../src/phases/deliver-artifacts.ts';
import { etcd } from '../src/phases/etcd.ts';
import { fetchArtifacts } from '../src/phases/fetch-artifacts.ts';
import { flannelStore } from '../src/phases/flannel-store.ts';
import { forwarding } from '../src/phases/forwarding.ts';
import { issueCertificates } from '../src/phases/issue-certificates.ts';
import { kubelet } from '../src/phases/kubelet.ts';
import { network } from '../src/phases/network.ts';
import { nodes } from '../src/phases/nodes.ts';
import { prepareHost } from '../src/phases/prepare-host.ts';
import { ready } from '../src/phases/ready.ts';
import { runtime } from '../src/phases/runtime.ts';
import { userManifests } from '../src/phases/user-manifests.ts';

/** Makes hosts what the cluster file says: installs, joins hosts that are new in the file, applies changed settings. */
export const apply: Playbook<Context> = {
  verb: 'apply',
  phases: [
    issueCertificates,
    fetchArtifacts,
    prepareHost,
    deliverArtifacts,
    etcd,
    controlPlane,
    apiEndpoint,
    flannelStore,
    runtime,
    kubelet,
    network,
    forwarding,
    addons,
    ready,
    nodes,
    userManifests,
  ],
};
