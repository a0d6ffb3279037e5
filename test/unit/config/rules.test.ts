import { describe, expect, test } from '@jest/globals';
import { parseCluster } from '../../../src/config/parse.ts';
import { CONTROL, fileOf, problemsOf, warningsOf } from './problems.ts';

const control = (n: number, more = '') => `{ address: 10.0.0.${n}, roles: [control-plane, worker]${more} }`;
const host = (fields: string) => fileOf([`{ address: 10.0.0.1, roles: [control-plane, worker], ${fields} }`]);
const ports = [1, 2, 3].map(
  (n) => `{ name: n${n}, address: 192.0.2.1, privateAddress: 10.0.0.${n}, roles: [control-plane, worker], ssh: { port: 220${n} } }`,
);
const spec = (...lines: string[]) => fileOf([CONTROL], ...lines);

const PROBLEMS: [string, string, string[]][] = [
  [
    'two hosts with one name',
    fileOf([control(1, ', name: a'), control(2, ', name: a'), control(3, ', name: b')]),
    [
      '4:66 spec.hosts[1].name: "a" is also the name of another host (line 3) | Give every host the name that it reports itself (hostname).',
    ],
  ],
  [
    'two hosts with one address',
    fileOf([control(1), control(2), control(2)]),
    [
      '5:18 spec.hosts[2].address: 10.0.0.2 is also the address of another host (line 4) | Remove one of the two, or correct the address (or the ssh port, when several hosts are behind one address).',
    ],
  ],
  [
    'two hosts behind one address and port, but not through the same jump host',
    fileOf([control(1, ', privateAddress: 10.1.0.1'), control(1, ', privateAddress: 10.1.0.1, ssh: { jump: b }')]),
    [
      '4:76 spec.hosts[1].privateAddress: 10.1.0.1 is also the address of another host (line 3) | Each host needs a private address of its own.',
    ],
  ],
  [
    'two ports of one address without private addresses',
    fileOf([control(1), control(1, ', name: b, ssh: { port: 2222 }')]),
    [
      '4:18 spec.hosts[1].address: 10.0.0.1 is also the address of another host, and nodes need addresses of their own (line 3) | Give each of them the address that it has among the nodes: privateAddress.',
    ],
  ],
  [
    'a loopback address without a private one',
    fileOf(['{ address: 127.0.0.1, roles: [control-plane, worker], ssh: { port: 2201 } }']),
    [
      '3:18 spec.hosts[0].address: 127.0.0.1 is a loopback address: SSH may use it, other nodes cannot | Add the address that the host has among the nodes: privateAddress.',
    ],
  ],
  [
    'a private address that is loopback',
    host('privateAddress: 127.0.0.1'),
    ['3:76 spec.hosts[0].privateAddress: "127.0.0.1" is a loopback address, which other hosts cannot reach'],
  ],
  [
    'a private address that is a name',
    host('privateAddress: node-1'),
    ['3:76 spec.hosts[0].privateAddress: "node-1" is not an IPv4 address'],
  ],
  [
    'a private address of IPv6',
    host('privateAddress: "fd00::1"'),
    ['3:76 spec.hosts[0].privateAddress: "fd00::1" is an IPv6 address, and Slipway builds IPv4 clusters only'],
  ],
  [
    'an address of IPv6',
    fileOf([CONTROL, '{ address: "[2001:db8::1]" }']),
    ['4:18 spec.hosts[1].address: "[2001:db8::1]" is an IPv6 address, and Slipway builds IPv4 clusters only'],
  ],
  [
    'an address with a port',
    fileOf([CONTROL, '{ address: "10.0.0.2:22" }']),
    ['4:18 spec.hosts[1].address: "10.0.0.2:22" has a port in it | Write 10.0.0.2, and ssh: { port: 22 }.'],
  ],
  [
    'an address with a user',
    fileOf([CONTROL, '{ address: root@node }']),
    ['4:18 spec.hosts[1].address: "root@node" has a user name in it | Write node, and ssh: { user: root }.'],
  ],
  [
    'an address with a prefix length',
    fileOf([CONTROL, '{ address: 10.0.0.2/24 }']),
    ['4:18 spec.hosts[1].address: "10.0.0.2/24" has a slash | Write 10.0.0.2.'],
  ],
  [
    'an address that is no address',
    fileOf([
      CONTROL,
      '{ address: 10.0.0 }',
      '{ address: 10.0.0.300 }',
      '{ address: 0.0.0.0 }',
      '{ address: 224.0.0.1 }',
      '{ address: 255.255.255.255 }',
      '{ address: "" }',
    ]),
    [
      '4:18 spec.hosts[1].address: "10.0.0" is not an IPv4 address',
      '5:18 spec.hosts[2].address: "10.0.0.300" is not an IPv4 address',
      '6:18 spec.hosts[3].address: "0.0.0.0" stands for any address, not for a host',
      '7:18 spec.hosts[4].address: "224.0.0.1" is a multicast address',
      '8:18 spec.hosts[5].address: "255.255.255.255" is the broadcast address',
      '9:18 spec.hosts[6].address: "" is empty',
    ],
  ],
  ['a name with capitals', host('name: Node-1'), ['3:66 spec.hosts[0].name: "Node-1" has capital letters | Write node-1.']],
  ['a name with an underscore', host('name: node_1'), ['3:66 spec.hosts[0].name: "node_1" has an underscore | Write node-1.']],
  ['a name that is an address', host('name: 10.0.0.9'), ['3:66 spec.hosts[0].name: "10.0.0.9" looks like an address']],
  [
    'a name that is too long',
    host(`name: ${'a'.repeat(64)}`),
    [
      '3:66 spec.hosts[0].name: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" has 64 characters; at most 63 are allowed, because it becomes a label\'s value',
    ],
  ],
  ['a name that is a number', host('name: 12'), ['3:66 spec.hosts[0].name: 12 is not a text | Put it in quotes: "12".']],
  [
    'names that begin or end badly',
    fileOf([
      control(1, ', name: -a'),
      control(2, ', name: a.'),
      control(3, ', name: a..b'),
      control(4, ', name: "a$"'),
      control(5, ', name: ""'),
    ]),
    [
      '3:66 spec.hosts[0].name: "-a" begins or ends with a dash | Write a.',
      '4:66 spec.hosts[1].name: "a." ends with a dot | Write a.',
      '5:66 spec.hosts[2].name: "a..b" has two dots in a row or begins with a dot',
      '6:66 spec.hosts[3].name: "a$" may have only a-z, 0-9 and dashes',
      '7:66 spec.hosts[4].name: "" is empty',
    ],
  ],
  [
    'an interface that cannot be one',
    host('interface: enp0s31f6-not-a-name'),
    ['3:71 spec.hosts[0].interface: "enp0s31f6-not-a-name" is not the name of a network interface | Write a name as ip link shows it.'],
  ],
  [
    'no control plane',
    fileOf(['{ address: 10.0.0.1 }', '{ address: 10.0.0.2 }']),
    ['2:3 spec.hosts: no host has the role control-plane | Add roles: [control-plane] to a host.'],
  ],
  [
    'no control plane on the only host',
    fileOf(['{ address: 10.0.0.1 }']),
    ['2:3 spec.hosts: no host has the role control-plane | Add roles: [control-plane, worker] to a host.'],
  ],
  ['no hosts', fileOf([]).replace('hosts:', 'hosts: []'), ['2:10 spec.hosts: is an empty list; it needs at least one entry']],
  ['hosts that are missing', 'spec: {}', ['1:7 spec.hosts: is missing; it must be a list']],
  [
    'label keys and values out of syntax',
    host(`labels: { "-a": b, a: "b c", "x/y/z": a, "A_b/c": d, "e/": f, "": g, ${'k'.repeat(64)}: v, k: ${'v'.repeat(64)} }`),
    [
      '3:70 spec.hosts[0].labels.-a: the key "-a" must begin and end with a letter or digit, with only letters, digits, dashes, underscores and dots between',
      '3:82 spec.hosts[0].labels.a: "b c" must begin and end with a letter or digit, with only letters, digits, dashes, underscores and dots between',
      '3:89 spec.hosts[0].labels["x/y/z"]: the key "x/y/z" has more than one slash',
      '3:101 spec.hosts[0].labels["A_b/c"]: the key "A_b/c" has a prefix that has capital letters',
      '3:113 spec.hosts[0].labels["e/"]: the key "e/" has no name behind the slash',
      '3:122 spec.hosts[0].labels[""]: the key "" is empty',
      '3:129 spec.hosts[0].labels.kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: the key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" has a name of 64 characters; at most 63 are allowed',
      '3:201 spec.hosts[0].labels.k: "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv" has 64 characters; at most 63 are allowed',
    ],
  ],
  [
    'labels that are not texts',
    host('labels: { a: 1, b: true, c: , d: [x] }'),
    [
      '3:73 spec.hosts[0].labels.a: 1 is not a text | Put it in quotes: "1".',
      '3:79 spec.hosts[0].labels.b: true is not a text | Put it in quotes: "true".',
      '3:88 spec.hosts[0].labels.c: is empty; it must be a text | Give it a value, or remove the line to take the default.',
      '3:93 spec.hosts[0].labels.d: a list is not a text',
    ],
  ],
  [
    "labels that are the kubelet's",
    host('labels: { kubernetes.io/hostname: a }'),
    ['3:70 spec.hosts[0].labels["kubernetes.io/hostname"]: the kubelet sets this label itself | Remove it.'],
  ],
  [
    'taints out of syntax',
    host('taints: [a, "a b:NoSchedule", "a=b:NoSched", { key: a, value: "b c", effect: NoSchedule }, { key: a }]'),
    [
      '3:69 spec.hosts[0].taints[0]: "a" is not a taint | Write key=value:NoSchedule.',
      '3:72 spec.hosts[0].taints[1]: "a b:NoSchedule" is not a taint | Write key=value:NoSchedule.',
      '3:90 spec.hosts[0].taints[2]: "a=b:NoSched" has an unknown effect, "NoSched" | Write one of NoSchedule, PreferNoSchedule, NoExecute.',
      '3:122 spec.hosts[0].taints[3].value: "b c" must begin and end with a letter or digit, with only letters, digits, dashes, underscores and dots between',
      '3:151 spec.hosts[0].taints[4].effect: is missing; it must be one of NoSchedule, PreferNoSchedule, NoExecute',
    ],
  ],
  [
    "taints that are Kubernetes' own",
    host('taints: ["node.kubernetes.io/not-ready:NoExecute"]'),
    [
      "3:69 spec.hosts[0].taints[0]: node.kubernetes.io/not-ready is a taint that Kubernetes sets and removes by the node's condition | Use a key of your own.",
    ],
  ],
  [
    'a taint given twice',
    host('taints: [a=b:NoSchedule, a=c:NoSchedule, a=c:NoExecute]'),
    ['3:85 spec.hosts[0].taints[1]: a:NoSchedule is there twice; a node has a key and effect only once | Remove one of them.'],
  ],
  [
    'jump hosts out of syntax',
    host('ssh: { jump: [a, "b c", "u@h:0", "u@[fd00::1]:22", "a,b"] }'),
    [
      '3:77 spec.hosts[0].ssh.jump[1]: "b c" is not a jump host | Write [user@]host[:port].',
      '3:84 spec.hosts[0].ssh.jump[2]: "u@h:0" is not a jump host | Write [user@]host[:port].',
      '3:93 spec.hosts[0].ssh.jump[3]: "u@[fd00::1]:22" is an IPv6 address, and Slipway builds IPv4 clusters only',
      '3:111 spec.hosts[0].ssh.jump[4]: "a,b" is not a jump host | Write a list: [first, second].',
    ],
  ],
  [
    'ssh fields out of range',
    spec('ssh: { user: "-oProxyCommand=x", port: 0, identityFile: ~bob/key, become: su, hostKeys: false, knownHosts: "" }'),
    [
      '4:16 spec.ssh.user: "-oProxyCommand=x" is not a user name',
      '4:42 spec.ssh.port: 0 is out of range; it must be at least 1',
      '4:59 spec.ssh.identityFile: "~bob/key" is in another user\'s home directory | Write the full path.',
      '4:77 spec.ssh.become: "su" is not one of sudo, none',
      '4:91 spec.ssh.hostKeys: false is not one of strict, accept-new, off | Did you mean off?',
      '4:110 spec.ssh.knownHosts: "" is empty',
    ],
  ],
  [
    'a version that is not in full',
    spec('kubernetes: { version: "1.36" }'),
    ['4:26 spec.kubernetes.version: "1.36" is not a full Kubernetes version | Write three numbers, such as 1.36.3.'],
  ],
  [
    'a version that is a number',
    spec('kubernetes: { version: 1.36 }'),
    ['4:26 spec.kubernetes.version: 1.36 is not a text | Write it in full, such as 1.36.3.'],
  ],
  [
    'a cluster name that cannot be a file name',
    `metadata: { name: a/b }\n${spec()}`,
    ['1:19 metadata.name: "a/b" may have only a-z, 0-9 and dashes'],
  ],
  [
    'networks that are none',
    spec(
      'network: { podCidr: 10.244.0.0, serviceCidr: 10.96.0.0/33, nodeCidrs: ["fd00::/64", 10.0.0.1/24, "10.0.0.0/24,fd00::/64", 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4] }',
    ),
    [
      '4:23 spec.network.podCidr: "10.244.0.0" has no prefix length | For instance 10.244.0.0/24.',
      '4:48 spec.network.serviceCidr: "10.96.0.0/33" is not an IPv4 network | Write address/prefix, such as 10.244.0.0/16.',
      '4:74 spec.network.nodeCidrs[0]: "fd00::/64" is an IPv6 network, and Slipway builds IPv4 clusters only',
      '4:87 spec.network.nodeCidrs[1]: "10.0.0.1/24" has address bits behind its prefix | Write 10.0.0.0/24.',
      '4:100 spec.network.nodeCidrs[2]: "10.0.0.0/24,fd00::/64" is more than one network; dual-stack clusters are not supported',
      '4:125 spec.network.nodeCidrs[3]: "127.0.0.0/8" lies in a range that is reserved (loopback)',
      '4:138 spec.network.nodeCidrs[4]: "169.254.0.0/16" lies in a range that is reserved (link-local)',
      '4:154 spec.network.nodeCidrs[5]: "224.0.0.0/4" lies in a range that is reserved (multicast)',
    ],
  ],
  [
    'pods and services in one network',
    spec('network: { podCidr: 10.96.0.0/12 }'),
    ['4:12 spec.network.serviceCidr: 10.96.0.0/16 overlaps podCidr, 10.96.0.0/12 | Choose two networks that share no address.'],
  ],
  [
    'nodes in the network of pods',
    spec('network: { podCidr: 10.1.0.0/16, nodeCidrs: [10.0.0.0/8] }'),
    [
      '4:48 spec.network.nodeCidrs[0]: 10.0.0.0/8 overlaps podCidr, 10.1.0.0/16 | Choose another podCidr; packets to these nodes would go astray.',
      '4:48 spec.network.nodeCidrs[0]: 10.0.0.0/8 overlaps serviceCidr, 10.96.0.0/16 | Choose another serviceCidr; packets to these nodes would go astray.',
    ],
  ],
  [
    'a host in the network of services',
    fileOf([CONTROL, '{ address: 10.96.3.4 }', '{ address: node-3, privateAddress: 10.244.0.3 }']),
    [
      '4:18 spec.hosts[1].address: 10.96.3.4 lies in serviceCidr, 10.96.0.0/16 | Choose another serviceCidr; packets to this host would go astray.',
      '5:42 spec.hosts[2].privateAddress: 10.244.0.3 lies in podCidr, 10.244.0.0/16 | Choose another podCidr; packets to this host would go astray.',
    ],
  ],
  [
    'a host outside of nodeCidrs',
    fileOf(
      [CONTROL, '{ address: 192.0.2.1 }', '{ address: 10.0.0.3, privateAddress: 172.16.0.1 }'],
      'network: { nodeCidrs: [10.0.0.0/24] }',
    ),
    [
      '4:18 spec.hosts[1].address: 192.0.2.1 is in none of nodeCidrs (10.0.0.0/24), so firewalls would not let it in | Add its network to nodeCidrs, or a privateAddress that lies in them.',
      '5:44 spec.hosts[2].privateAddress: 172.16.0.1 is in none of nodeCidrs (10.0.0.0/24), so firewalls would not let it in | Add its network to nodeCidrs.',
    ],
  ],
  [
    'a service network that is too large',
    spec('network: { serviceCidr: 10.96.0.0/11 }'),
    [
      '4:27 spec.network.serviceCidr: 10.96.0.0/11 has a size that does not work: the API server takes no service network larger than /12 | Use a size from /12 to /24, such as 10.96.0.0/16.',
    ],
  ],
  [
    'a service network that is too small',
    spec('network: { serviceCidr: 10.96.0.0/25 }'),
    [
      '4:27 spec.network.serviceCidr: 10.96.0.0/25 has a size that does not work: a service network smaller than /24 soon has no address left | Use a size from /12 to /24, such as 10.96.0.0/16.',
    ],
  ],
  [
    'more nodes than podCidr has room for',
    fileOf([control(1), control(2), control(3), '{ address: 10.0.0.4 }', '{ address: 10.0.0.5 }'], 'network: { podCidr: 10.244.0.0/22 }'),
    [
      '8:23 spec.network.podCidr: 10.244.0.0/22 in parts of /24 has room for 4 nodes, and there are 5 | podCidr cannot be changed later: use a larger one, such as 10.244.0.0/20.',
    ],
  ],
  [
    'a part for each node that is larger than podCidr',
    spec('network: { podCidr: 10.244.0.0/25 }'),
    [
      '4:12 spec.network.nodeCidrMaskSize: /24 is larger than podCidr itself, 10.244.0.0/25 | Use a number from 25 to 28, or a larger podCidr.',
    ],
  ],
  [
    'a part for each node that is too small a part',
    spec('network: { podCidr: 172.0.0.0/11, nodeCidrMaskSize: 28 }'),
    ['4:55 spec.network.nodeCidrMaskSize: /28 is too small a part of 172.0.0.0/11: at most 16 bits may lie between them | Use 27 or less.'],
  ],
  [
    'an mtu that the backend does not have',
    spec('network: { flannel: { backend: host-gw, mtu: 1400 } }'),
    ["4:48 spec.network.flannel.mtu: flannel's backend host-gw has no such setting | Remove mtu, or use vxlan or wireguard."],
  ],
  [
    'a domain out of syntax',
    spec('network: { clusterDomain: Cluster.Local }'),
    ['4:29 spec.network.clusterDomain: "Cluster.Local" has capital letters | Write cluster.local.'],
  ],
  [
    'a domain that looks like an address',
    spec('network: { clusterDomain: cluster.1 }'),
    ['4:29 spec.network.clusterDomain: "cluster.1" ends in a number, so resolvers would take it for an address'],
  ],
  [
    'an endpoint among the pods',
    spec('api: { endpoint: { host: 10.244.0.1 } }'),
    [
      "4:28 spec.api.endpoint.host: 10.244.0.1 lies in podCidr, 10.244.0.0/16 | The load balancer must be outside of the cluster's own networks.",
    ],
  ],
  [
    'an endpoint on this machine',
    spec('api: { endpoint: { host: 127.0.0.1, port: 70000 } }'),
    [
      '4:28 spec.api.endpoint.host: "127.0.0.1" is a loopback address, which other hosts cannot reach',
      '4:45 spec.api.endpoint.port: 70000 is out of range; it must be at most 65535',
    ],
  ],
  [
    'an endpoint in another form',
    spec('api: { endpoint: "api.example.com:6443" }'),
    ['4:20 spec.api.endpoint: "api.example.com:6443" is not allowed here | Allowed: node-local, { host, port }.'],
  ],
  [
    'an endpoint with a port in its host',
    spec('api: { endpoint: { host: "api.example.com:6443" } }'),
    ['4:28 spec.api.endpoint.host: "api.example.com:6443" has a port in it | Write host: api.example.com, port: 6443.'],
  ],
  [
    'an endpoint that is a URL',
    spec('api: { endpoint: { host: "https://api.example.com" } }'),
    ['4:28 spec.api.endpoint.host: "https://api.example.com" is a URL | Write only the name or address.'],
  ],
  [
    'a source in another form',
    spec('artifacts: { source: mirror }'),
    ['4:24 spec.artifacts.source: "mirror" is not allowed here | Allowed: auto, release, go, { mirror }, { bundle }.'],
  ],
  [
    'a source for something that is no artefact, and in another form',
    spec('artifacts: { overrides: { containered: go, runc: { bundle: a.bundle } } }'),
    [
      '4:29 spec.artifacts.overrides.containered: there is no field "containered" here | Did you mean containerd?',
      '4:52 spec.artifacts.overrides.runc.mirror: is missing; it must be a text',
      '4:54 spec.artifacts.overrides.runc.bundle: there is no field "bundle" here | Fields here: mirror.',
    ],
  ],
  [
    'a source of its own beside a bundle',
    spec('artifacts: { source: { bundle: a.bundle }, overrides: { etcd: go } }'),
    [
      '4:65 spec.artifacts.overrides.etcd: with a bundle, everything comes from the bundle | Name the source where the bundle is made: what slipway bundle create finds in the cluster file goes into it.',
    ],
  ],
  [
    'a mirror with a password',
    spec('artifacts: { source: { mirror: "https://me:secret@example.com" } }'),
    ['4:34 spec.artifacts.source.mirror: the URL has a user name or password in it, which everybody who sees this file could read'],
  ],
  [
    'a registry given twice',
    spec(
      'runtime: { registryMirrors: [{ registry: docker.io, endpoints: ["https://a"] }, { registry: docker.io, endpoints: ["https://b"] }] }',
    ),
    [
      '4:95 spec.runtime.registryMirrors[1].registry: docker.io has mirrors in registryMirrors[0] already | Put all endpoints of a registry in one entry.',
    ],
  ],
  [
    'a registry that is a URL',
    spec('runtime: { registryMirrors: [{ registry: "https://docker.io/v2", endpoints: [a] }] }'),
    [
      '4:44 spec.runtime.registryMirrors[0].registry: "https://docker.io/v2" is a URL | Write docker.io.',
      '4:80 spec.runtime.registryMirrors[0].endpoints[0]: "a" is not a URL | For instance https://mirror.example.com.',
    ],
  ],
  ['another runtime', spec('runtime: { kind: docker }'), ['4:20 spec.runtime.kind: "docker" is not containerd']],
  [
    'a component that is not known',
    spec('components: { kubelet2: { args: {} }, api-server: {} }'),
    [
      '4:17 spec.components.kubelet2: there is no field "kubelet2" here | Did you mean kubelet?',
      '4:41 spec.components.api-server: there is no field "api-server" here | Did you mean kube-apiserver?',
    ],
  ],
  [
    'flags with dashes, values or line breaks',
    spec('components: { kubelet: { args: { --v: 4, "a=b": c, "a b": c, d: "e\\nf", g: null } } }'),
    [
      '4:36 spec.components.kubelet.args.--v: the key "--v" begins with a dash | Write v.',
      '4:44 spec.components.kubelet.args["a=b"]: the key "a=b" has a value in it | Write a: b.',
      '4:54 spec.components.kubelet.args["a b"]: the key "a b" is not the name of a flag',
      '4:67 spec.components.kubelet.args.d: "e\\nf" has a line break, which a flag cannot carry',
      '4:78 spec.components.kubelet.args.g: null is not allowed here | Allowed: a text, a number, true or false.',
    ],
  ],
  [
    'booleans as YAML 1.1 wrote them',
    spec('addons: { coredns: yes, metricsServer: off }'),
    [
      '4:22 spec.addons.coredns: "yes" is not true or false | Did you mean true?',
      '4:42 spec.addons.metricsServer: "off" is not true or false | Did you mean false?',
    ],
  ],
  [
    'sections left empty',
    spec('network:', 'addons:'),
    [
      '4:11 spec.network: is empty; it must be a mapping of keys and values | Give it a value, or remove the line to take the default.',
      '5:10 spec.addons: is empty; it must be a mapping of keys and values | Give it a value, or remove the line to take the default.',
    ],
  ],
  [
    "other installers' words",
    spec('nodes: []', 'networking: {}').replace('roles: [control-plane, worker]', 'roles: [master, node], ip: 10.0.0.1'),
    [
      '3:36 spec.hosts[0].roles[0]: "master" is not one of control-plane, etcd, worker | Did you mean control-plane?',
      '3:44 spec.hosts[0].roles[1]: "node" is not one of control-plane, etcd, worker | Did you mean worker?',
      '3:51 spec.hosts[0].ip: there is no field "ip" here | Did you mean address?',
      '4:3 spec.nodes: there is no field "nodes" here | Did you mean hosts?',
      '5:3 spec.networking: there is no field "networking" here | Did you mean network?',
    ],
  ],
];

const WARNINGS: [string, string, string[]][] = [
  [
    'two etcd members',
    fileOf([control(1), control(2)]),
    ['2:3 ETCD_EVEN spec.hosts: 2 etcd members both have to be up, so this is less reliable than 1 | Use 1 or 3 control planes.'],
  ],
  [
    'four etcd members',
    fileOf([control(1), control(2), control(3), control(4)]),
    ['2:3 ETCD_EVEN spec.hosts: 4 etcd members survive the loss of 1, no more than 3 would | Use 3 or 5.'],
  ],
  [
    'nine etcd members',
    fileOf([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => control(n))),
    ['2:3 ETCD_MANY spec.hosts: 9 etcd members make every write wait for 5 of them | Use 3, 5 or 7.'],
  ],
  [
    'one etcd member for several control planes',
    fileOf([control(1), control(2), '{ address: 10.0.0.3, roles: [etcd] }']),
    [
      '2:3 ETCD_SINGLE spec.hosts: 2 control planes share 1 etcd member: when its host is lost, so is the cluster | Give 3 hosts the role etcd.',
    ],
  ],
  [
    'no worker',
    fileOf(['{ address: 10.0.0.1, roles: [control-plane] }']),
    [
      '2:3 NO_WORKER spec.hosts: no host has the role worker, so ordinary pods would find no place | Add worker to the roles of a host: roles: [control-plane, worker].',
    ],
  ],
  [
    'host keys that are not checked',
    spec('ssh: { hostKeys: off }'),
    [
      '4:20 HOST_KEYS_OFF spec.ssh.hostKeys: off means that anybody on the way to the host can take its place, and will be given its secrets | Use strict or accept-new.',
    ],
  ],
  [
    'host keys of one host that are not checked',
    host('ssh: { hostKeys: off }'),
    [
      '3:77 HOST_KEYS_OFF spec.hosts[0].ssh.hostKeys: off means that anybody on the way to the host can take its place, and will be given its secrets | Use strict or accept-new.',
    ],
  ],
  [
    'a user who cannot become root',
    spec('ssh: { user: admin, become: none }'),
    [
      '4:31 NOT_ROOT spec.ssh.become: admin logs in and becomes nobody else, but installing needs root | Write become: sudo, or user: root.',
    ],
  ],
  [
    'a taint that is there anyway',
    fileOf([
      '{ address: 10.0.0.1, roles: [control-plane], taints: ["node-role.kubernetes.io/control-plane:NoSchedule"] }',
      '{ address: 10.0.0.2 }',
    ]),
    ['3:61 TAINT_IMPLIED spec.hosts[0].taints[0]: control planes that are not workers have this taint anyway | Remove it.'],
  ],
  [
    'labels on a host that is not a node',
    fileOf([CONTROL, '{ address: 10.0.0.2, roles: [etcd], labels: { a: b } }']),
    [
      '4:43 NOT_A_NODE spec.hosts[1].labels: this host runs only etcd and is not a node, so nothing can carry them | Remove labels, or add a role.',
    ],
  ],
  [
    'a pod network that is full',
    fileOf([control(1), '{ address: 10.0.0.2 }'], 'network: { podCidr: 10.244.0.0/23 }'),
    [
      '5:23 POD_CIDR_FULL spec.network.podCidr: 10.244.0.0/23 in parts of /24 has room for 2 nodes, and there are 2: none can join | podCidr cannot be changed later: use a larger one, such as 10.244.0.0/21.',
    ],
  ],
  [
    'few addresses for pods',
    spec('network: { nodeCidrMaskSize: 27 }'),
    [
      '4:32 POD_ADDRESSES_FEW spec.network.nodeCidrMaskSize: /27 has 29 addresses for the pods of a node, where 110 pods may run | Use 25 or less.',
    ],
  ],
  [
    'a host in the domain of the services',
    fileOf([CONTROL, '{ address: db.cluster.local }']),
    [
      '4:18 CLUSTER_DOMAIN_SHADOWS spec.hosts[1].address: db.cluster.local lies in clusterDomain, cluster.local, where pods find only services | Use another clusterDomain, or the IP address of the host.',
    ],
  ],
  [
    'an endpoint that is one of the control planes',
    fileOf([control(1), control(2), control(3)], 'api: { endpoint: { host: 10.0.0.2 } }'),
    [
      '6:28 ENDPOINT_SINGLE spec.api.endpoint.host: 10.0.0.2 is one of the 3 control planes: when it is down, no node reaches the others | Use endpoint: node-local, or the address of a load balancer.',
    ],
  ],
];

describe('refused, with place, reason and advice:', () => {
  test.each(PROBLEMS)('%s', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});

describe('allowed with a warning:', () => {
  test.each(WARNINGS)('%s', (_, text, warnings) => {
    expect(warningsOf(text)).toEqual(warnings);
  });
});

describe('allowed without a word:', () => {
  test.each([
    ['one host that is everything', spec()],
    ['three control planes and a worker', fileOf([control(1), control(2), control(3), '{ address: 10.0.0.4 }'])],
    ['several ports of one address, each with a private address', fileOf(ports)],
    ['a loopback address with a private one', fileOf(['{ address: 127.0.0.1, privateAddress: 10.0.0.1, roles: [control-plane, worker] }'])],
    ['hosts by DNS name', fileOf(['{ address: Node-1.example.com, roles: [control-plane, worker] }'])],
    ['a service network of /12, and one of /24', fileOf([CONTROL], 'network: { serviceCidr: 172.16.0.0/12 }')],
    ['a wireguard network with its own mtu', spec('network: { flannel: { backend: wireguard, mtu: 1380 } }')],
    ['an endpoint that is the only control plane', spec('api: { endpoint: { host: 10.0.0.1 } }')],
    ['a qualified label without a value', host('labels: { example.com/a_b.c: "" }')],
  ])('%s', (_, text) => {
    expect(warningsOf(text)).toEqual([]);
  });
});

test('a mistake in one place does not hide a mistake between others', () => {
  expect(
    problemsOf(fileOf([control(1), '{ adress: 10.0.0.2 }', '{ name: a, address: 10.0.0.3 }', '{ name: a, address: 10.0.0.3 }'])),
  ).toEqual([
    '4:9 spec.hosts[1].adress: there is no field "adress" here | Did you mean address?',
    '6:15 spec.hosts[3].name: "a" is also the name of another host (line 5) | Give every host the name that it reports itself (hostname).',
    '6:27 spec.hosts[3].address: 10.0.0.3 is also the address of another host (line 5) | Remove one of the two, or correct the address (or the ssh port, when several hosts are behind one address).',
  ]);
});

test('a mistake does not make another one up: no complaint about control planes when a role cannot be read', () => {
  expect(problemsOf(fileOf(['{ address: 10.0.0.1, roles: [controlplain] }']))).toEqual([
    '3:36 spec.hosts[0].roles[0]: "controlplain" is not one of control-plane, etcd, worker | Did you mean control-plane?',
  ]);
});

test('a thousand hosts fit into a network that is made for them', () => {
  const hosts = Array.from(
    { length: 1000 },
    (_, i) => `{ address: 172.20.${Math.floor(i / 250)}.${(i % 250) + 1}${i === 0 ? ', roles: [control-plane]' : ''} }`,
  );
  expect(parseCluster(fileOf(hosts, 'network: { podCidr: 10.0.0.0/12, serviceCidr: 10.96.0.0/16 }'), 'c').cluster.hosts).toHaveLength(1000);
  expect(problemsOf(fileOf(hosts))).toEqual([
    '2:3 spec.network.podCidr: 10.244.0.0/16 in parts of /24 has room for 256 nodes, and there are 1000 | podCidr cannot be changed later: use a larger one, such as 10.240.0.0/13.',
  ]);
});
