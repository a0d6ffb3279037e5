import { bug } from '../../base/errors.ts';
import { imageReference } from '../catalogue.ts';
import type { Artefact } from '../types.ts';

/** One run of `go build` in a module of our own that requires one upstream module. */
export interface GoBuild {
  module: string;
  /** With the leading `v`. */
  version: string;
  /** File of the artefact to the package it is built from. */
  packages: Readonly<Record<string, string>>;
  /** `static`: cgo, linked statically by the C compiler. */
  cgo: 'off' | 'static';
  tags: readonly string[];
  /** Values for -ldflags -X. */
  variables: Readonly<Record<string, string>>;
  /** Requirements beside the module itself, to replace a pin that no module proxy serves. */
  require: Readonly<Record<string, string>>;
  /** C libraries that must be there to link statically. */
  libraries: readonly string[];
}

/** A C file of a module, compiled and linked statically. */
export interface CBuild {
  module: string;
  version: string;
  path: string;
  output: string;
  defines: Readonly<Record<string, string>>;
}

export interface ImageRecipe {
  reference: string;
  /** The built file that becomes the entry point, at /NAME. */
  binary: string;
  user?: string;
  cmd?: readonly string[];
  exposedPorts?: readonly string[];
  /** Directories of the root file system beside `/`, with their modes. */
  directories?: Readonly<Record<string, number>>;
  /** Counts changes of how the archive is written. */
  format: 1;
}

export interface Recipe {
  go: readonly GoBuild[];
  c?: CBuild;
  image?: ImageRecipe;
}

const plain = { cgo: 'off', tags: [], variables: {}, require: {}, libraries: [] } as const;

/** How an artefact is built from Go modules. Pure data, so that its digest can tell whether a cached build is still the one meant. */
export function recipeOf({ name, version, arch }: Pick<Artefact, 'name' | 'version' | 'arch'>): Recipe {
  const v = `v${version}`;
  switch (name) {
    case 'kube-apiserver':
    case 'kube-controller-manager':
    case 'kube-scheduler':
    case 'kubelet':
    case 'kube-proxy':
    case 'kubectl':
      return { go: [{ ...plain, ...kubernetes(version), packages: { [name]: `k8s.io/kubernetes/cmd/${name}` } }] };
    case 'etcd':
      return {
        go: [etcd('server', 'etcd', v), etcd('etcdctl', 'etcdctl', v), etcd('etcdutl', 'etcdutl', v)],
      };
    case 'containerd': {
      const module = 'github.com/containerd/containerd/v2';
      const commands = ['containerd', 'containerd-shim-runc-v2', 'ctr'];
      const packages = Object.fromEntries(commands.map((command) => [command, `${module}/cmd/${command}`]));
      return { go: [{ ...plain, module, version: v, packages, variables: { [`${module}/version.Version`]: v } }] };
    }
    case 'runc': {
      const module = 'github.com/opencontainers/runc';
      const tags = ['seccomp', 'netgo', 'osusergo'];
      return { go: [{ ...plain, module, version: v, packages: { runc: module }, cgo: 'static', tags, libraries: ['seccomp'] }] };
    }
    case 'cni-plugins': {
      const module = 'github.com/containernetworking/plugins';
      const plugins = ['main/bridge', 'main/loopback', 'ipam/host-local', 'meta/portmap', 'meta/bandwidth', 'meta/firewall', 'meta/tuning'];
      const packages = Object.fromEntries(plugins.map((path) => [path.slice(path.indexOf('/') + 1), `${module}/plugins/${path}`]));
      return { go: [{ ...plain, module, version: v, packages, variables: { [`${module}/pkg/utils/buildversion.BuildVersion`]: v } }] };
    }
    case 'flanneld': {
      const module = 'github.com/flannel-io/flannel';
      return {
        go: [
          {
            ...plain,
            module,
            version: v,
            packages: { flanneld: module },
            // The udp backend needs cgo; upstream builds it on amd64 only.
            ...(arch === 'amd64' ? { cgo: 'static', tags: ['netgo', 'osusergo'] } : {}),
            variables: { [`${module}/pkg/version.Version`]: v },
            // The version that flannel's go.mod names was withdrawn from the module proxies.
            require: { 'github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common': 'v1.3.103' },
          },
        ],
      };
    }
    case 'image-pause':
      return {
        go: [],
        // pause.c is the same in every supported release; this is the release whose build/pause/Makefile says 3.10.2.
        c: { module: 'k8s.io/kubernetes', version: 'v1.36.3', path: 'build/pause/linux/pause.c', output: 'pause', defines: { VERSION: v } },
        image: { reference: imageReference(name, version), binary: 'pause', user: '65535:65535', format: 1 },
      };
    case 'image-coredns': {
      const module = 'github.com/coredns/coredns';
      return {
        go: [{ ...plain, module, version: v, packages: { coredns: module } }],
        image: {
          reference: imageReference(name, version),
          binary: 'coredns',
          user: '65532:65532',
          exposedPorts: ['53/tcp', '53/udp'],
          format: 1,
        },
      };
    }
    case 'image-agnhost': {
      const reference = imageReference(name, version);
      const build = kubernetes(version);
      const variables = { 'main.Version': reference.slice(reference.lastIndexOf(':') + 1) };
      return {
        go: [{ ...plain, ...build, packages: { agnhost: 'k8s.io/kubernetes/test/images/agnhost' }, variables }],
        image: { reference, binary: 'agnhost', cmd: ['pause'], directories: { tmp: 0o1777, uploads: 0o1777 }, format: 1 },
      };
    }
    case 'image-metrics-server': {
      const module = 'sigs.k8s.io/metrics-server';
      const variables = { [`${module}/pkg/version.gitVersion`]: v };
      return {
        go: [{ ...plain, module, version: v, packages: { 'metrics-server': `${module}/cmd/metrics-server` }, variables }],
        image: {
          reference: imageReference(name, version),
          binary: 'metrics-server',
          user: '65534:65534',
          directories: { tmp: 0o1777 },
          format: 1,
        },
      };
    }
    default:
      throw bug(`no recipe builds ${name} from Go modules`);
  }
}

/** The same variables as upstream's hack/lib/version.sh, without commit and date, which a module does not carry. */
function kubernetes(version: string): Pick<GoBuild, 'module' | 'version' | 'variables'> {
  const [major = '', minor = ''] = version.split('.');
  const base = 'k8s.io/component-base/version';
  return {
    module: 'k8s.io/kubernetes',
    version: `v${version}`,
    variables: {
      [`${base}.gitVersion`]: `v${version}`,
      [`${base}.gitMajor`]: major,
      [`${base}.gitMinor`]: minor,
      [`${base}.gitTreeState`]: 'clean',
      'k8s.io/client-go/pkg/version.gitVersion': `v${version}`,
    },
  };
}

function etcd(directory: string, file: string, version: string): GoBuild {
  const module = `go.etcd.io/etcd/${directory}/v3`;
  return { ...plain, module, version, packages: { [file]: module } };
}
