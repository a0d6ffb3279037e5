import { z } from 'zod';
import { ARTEFACT_NAMES } from './artefact-names.ts';
import { COMPONENT_NAMES } from './component-names.ts';
import * as fields from './fields.ts';

export const API_VERSION = 'slipway.dev/v1';
export const KIND = 'Cluster';
export const DEFAULT_KUBERNETES_VERSION = '1.36.3';
export const SCHEMA_URL = 'https://slipway.dev/schema/v1/cluster.json';

const sshFields = {
  user: fields.userName.optional().describe('Login user. Default: what ssh_config says, else your own user name.'),
  port: fields.port.optional().describe('Port of the SSH server. Default: what ssh_config says, else 22.'),
  identityFile: fields.path
    .optional()
    .describe(
      'Private key. Relative to the directory of this file; ~ is your home directory. Default: the keys of the agent, then ~/.ssh/id_*.',
    ),
  become: z
    .enum(['sudo', 'none'])
    .optional()
    .describe('How to become root: sudo, or none when the login user is root. Default: sudo (not used for the user root).'),
  hostKeys: z
    .enum(['strict', 'accept-new', 'off'])
    .optional()
    .describe(
      'strict refuses host keys that are not in known_hosts; accept-new records them; off does not check. A changed key is always refused unless off. Default: strict.',
    ),
  knownHosts: fields.path
    .optional()
    .describe('known_hosts file to use instead of ~/.ssh/known_hosts. Relative to the directory of this file; ~ is your home directory.'),
  jump: z
    .union([fields.jump, z.array(fields.jump)])
    .optional()
    .describe('Jump host [user@]host[:port], or a list of them from here outwards. Default: ProxyJump of ssh_config.'),
};

const ssh = z.strictObject(sshFields);

const taint = z.strictObject({
  key: fields.labelKey.describe('Key of the taint, with an optional prefix.'),
  value: fields.labelValue.default('').describe('Value of the taint.'),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).describe('What happens to pods that do not tolerate the taint.'),
});

const host = z.strictObject({
  name: fields.nodeName
    .optional()
    .describe("Name of the node; must be the host's own hostname. Default: the hostname that the host reports."),
  address: fields.sshAddress.describe('IPv4 address or DNS name that SSH connects to.'),
  privateAddress: fields.privateAddress
    .optional()
    .describe(
      "IPv4 address for the cluster's own traffic (node address, etcd, API server, flannel). Default: address when it is an IPv4 address, else what the host reports.",
    ),
  interface: fields.interfaceName
    .optional()
    .describe("Network interface for flannel. Default: the one on the way to the other nodes' private addresses."),
  roles: z
    .array(z.enum(['control-plane', 'etcd', 'worker']))
    .min(1)
    .default(['worker'])
    .describe(
      'control-plane, etcd, worker. A control-plane host takes ordinary pods only when it is a worker too. When no host has etcd, the control-plane hosts run it.',
    ),
  labels: z
    .record(fields.labelKey, fields.labelValue.describe('Value of the label.'))
    .default({})
    .describe('Labels of the node, kept up to date through the API.'),
  taints: z
    .array(z.union([taint, fields.taintText]))
    .default([])
    .describe('Taints of the node, as { key, value, effect } or key=value:Effect.'),
  ssh: ssh.prefault({}).describe('How to reach this host; what is missing comes from spec.ssh.'),
});

/** Where one artefact may come from; a bundle has all of them. */
const origin = [
  z.enum(['auto', 'release', 'go']),
  z.strictObject({ mirror: fields.url.describe('URL of a mirror of the release files.') }),
] as const;

const endpoint = z.strictObject({
  host: fields.hostOrAddress.describe('DNS name or IPv4 address of your load balancer.'),
  port: fields.port.default(6443).describe('Port of your load balancer.'),
});

const network = z.strictObject({
  podCidr: fields.cidr.default('10.244.0.0/16').describe('Addresses for pods. Cannot be changed later.'),
  nodeCidrMaskSize: z
    .int()
    .min(16)
    .max(28)
    .default(24)
    .describe('Size of the part of podCidr that each node gets. 24 has room for 254 pods on a node.'),
  serviceCidr: fields.cidr.default('10.96.0.0/16').describe('Addresses for services, from /12 to /24. Cannot be changed later.'),
  nodeCidrs: z
    .array(fields.cidr)
    .default([])
    .describe(
      'Networks in which nodes live; firewall rules admit these networks. Default: the private networks of the hosts, up to /16, else their addresses.',
    ),
  clusterDomain: fields.domain.default('cluster.local').describe('DNS domain of the services. Cannot be changed later.'),
  flannel: z
    .strictObject({
      backend: z
        .enum(['vxlan', 'host-gw', 'wireguard', 'udp'])
        .default('vxlan')
        .describe(
          'vxlan works on any network; host-gw is fastest but needs all nodes in one layer-2 network; wireguard encrypts; udp is slow, for old kernels only.',
        ),
      store: z
        .enum(['kubernetes', 'etcd'])
        .default('kubernetes')
        .describe(
          'Where flannel keeps its leases: the Kubernetes API, or etcd, where it gets a user that may use its own prefix only. Cannot be changed later.',
        ),
      mtu: z.int().min(576).max(9216).optional().describe("MTU of the pod network. Default: flannel derives it from the interface's."),
    })
    .prefault({})
    .describe('The pod network.'),
  proxy: z
    .strictObject({
      mode: z.enum(['iptables', 'nftables', 'ipvs']).default('iptables').describe('How kube-proxy programs services.'),
    })
    .prefault({})
    .describe('kube-proxy.'),
  forwarding: z
    .enum(['scoped', 'accept'])
    .default('scoped')
    .describe(
      'scoped lets only pod traffic through a host whose FORWARD policy is DROP; accept sets the policy of the whole host to ACCEPT.',
    ),
});

const spec = z.strictObject({
  kubernetes: z
    .strictObject({ version: fields.version.default(DEFAULT_KUBERNETES_VERSION).describe('Kubernetes version, in full.') })
    .prefault({})
    .describe('Which Kubernetes.'),
  ssh: ssh.prefault({}).describe('How to reach the hosts; a host can override each field.'),
  hosts: z.array(host).min(1).describe('The hosts of the cluster.'),
  network: network.prefault({}).describe('Pod, service and node networks.'),
  runtime: z
    .strictObject({
      kind: z.enum(['containerd']).default('containerd').describe('Container runtime.'),
      registryMirrors: z
        .array(
          z.strictObject({
            registry: fields.registry.describe('Registry that is mirrored, such as docker.io.'),
            endpoints: z.array(fields.url).min(1).describe('URLs of the mirrors, tried in this order before the registry itself.'),
          }),
        )
        .default([])
        .describe('Mirrors that the nodes ask first.'),
    })
    .prefault({})
    .describe('The container runtime.'),
  api: z
    .strictObject({
      endpoint: z
        .union([z.literal('node-local'), endpoint])
        .default('node-local')
        .describe(
          'How nodes reach the API: node-local runs a small load balancer on every node; { host, port } names a load balancer of your own.',
        ),
      certSANs: z.array(fields.certificateName).default([]).describe("More DNS names and IP addresses for the API server's certificate."),
    })
    .prefault({})
    .describe('The Kubernetes API.'),
  artifacts: z
    .strictObject({
      source: z
        .union([
          ...origin,
          z.strictObject({
            bundle: fields.path.describe('Bundle file made by slipway bundle create. Relative to the directory of this file.'),
          }),
        ])
        .default('auto')
        .describe('Where the binaries come from: auto | release | { mirror: URL } | { bundle: FILE } | go.'),
      overrides: z
        .partialRecord(
          z.enum(ARTEFACT_NAMES),
          z.union([...origin]).describe(`auto | release | { mirror: URL } | go, for one of ${ARTEFACT_NAMES.join(', ')}.`),
        )
        .default({})
        .describe('Artefacts that come from elsewhere than the others, such as { containerd: { mirror: URL } }.'),
    })
    .prefault({})
    .describe('The binaries and images.'),
  addons: z
    .strictObject({
      coredns: z.boolean().default(true).describe('DNS for services.'),
      metricsServer: z.boolean().default(false).describe('Metrics for kubectl top and autoscaling.'),
      manifests: z
        .array(fields.path)
        .default([])
        .describe('Manifests of your own to apply, as files or directories. Relative to the directory of this file.'),
    })
    .prefault({})
    .describe('What runs on top.'),
  components: z
    .partialRecord(
      z.enum(COMPONENT_NAMES),
      z
        .strictObject({
          args: z
            .record(fields.flagName, fields.flagValue)
            .default({})
            .describe('Flags without their dashes, such as { v: 4 }; checked against the flags that the component itself prints.'),
        })
        .describe(`One of ${COMPONENT_NAMES.join(', ')}.`),
    )
    .default({})
    .describe('Extra flags, by component.'),
  rollout: z
    .strictObject({
      maxUnavailable: z
        .union([z.int().min(1), fields.percentage])
        .default('10%')
        .describe(
          'How many nodes may be away at once while what runs on them changes, as a number or a percentage of all nodes (at least one). The first batch is a single node.',
        ),
    })
    .prefault({})
    .describe('How changes reach nodes that serve.'),
});

/** The cluster file, version 1: the one source of types, defaults, documentation and the JSON Schema. */
export const clusterFileSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION).default(API_VERSION).describe('Version of this file format.'),
    kind: z.literal(KIND).default(KIND).describe('Kind of this file.'),
    metadata: z
      .strictObject({
        name: fields.clusterName.default('kubernetes').describe('Name of the cluster, used for files and kubeconfig contexts.'),
      })
      .prefault({})
      .describe('About the cluster.'),
    spec: spec.describe('What the cluster should be.'),
  })
  .describe('The cluster file of Slipway.');

/** The file after the schema: defaults applied, paths not yet resolved, hosts not yet merged with spec.ssh. */
export type ClusterFile = z.output<typeof clusterFileSchema>;
/** What a person may write. */
export type ClusterFileInput = z.input<typeof clusterFileSchema>;
