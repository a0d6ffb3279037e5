import { contentDigest } from '../artifacts/digest.ts';
import { progressText } from '../artifacts/progress-text.ts';
import type { Store } from '../artifacts/store.ts';
import type { LockedArtefact } from '../artifacts/types.ts';
import { bug } from '../base/errors.ts';
import type { DocumentName } from '../components/component.ts';
import { sha256 } from '../engine/actions/file.ts';
import type { LocalHandler, Materials } from '../engine/materials.ts';
import type { State } from '../pki/state.ts';
import type { Authority } from '../pki/types.ts';
import { artefactOf } from './deliver-artifacts.ts';
import type { Context } from './context.ts';
import type { FetchParameters } from './fetch-artifacts.ts';
import { idFrom } from './identity.ts';
import { MANIFESTS_TEXT } from './user-manifests.ts';
import type { IssueParameters, SharedParameters } from './issue-certificates.ts';

export interface OperatorOptions {
  context: Context;
  store: Store;
  state: State;
}

/** What the operator's own machine does for a plan, and where the bytes come from that the plan refers to. */
export function operator({ context, store, state }: OperatorOptions): { materials: Materials; local: Record<string, LocalHandler> } {
  const fetched = new Map<string, LockedArtefact>(context.lock.artifacts.map((artefact) => [key(artefact), artefact]));

  return {
    local: {
      'make-shared': async (parameters) => {
        const { authorities, documents } = parameters as SharedParameters;
        for (const name of authorities) await state.createAuthority(name);
        for (const name of documents) await makeDocument(name as DocumentName, { context, store, state });
      },
      issue: async (parameters) => {
        const { host, certificates } = parameters as IssueParameters;
        await Promise.all(certificates.map((certificate) => state.issue(host, certificate)));
      },
      fetch: async (parameters, { progress, signal }) => {
        const { artefacts } = parameters as FetchParameters;
        const locked = await store.resolve(artefacts, { onProgress: (event) => progress(progressText(event)), signal });
        for (const artefact of locked) fetched.set(key(artefact), artefact);
      },
    },
    materials: {
      bytes: async (ref) => (ref === MANIFESTS_TEXT ? Buffer.from(context.manifests!.text) : bytesOf(ref, state)),
      archive: async (name, version, host) => {
        const target = context.cluster.hosts.find((candidate) => candidate.name === host)!;
        const locked = fetched.get(key(artefactOf(context, target, name)));
        if (!locked) throw bug(`${name} ${version} is delivered before it was fetched`);
        const compression = context.facts[host]!.commands.includes('zstd') ? 'zstd' : 'gzip';
        const archive = await store.archive(locked, compression);
        return {
          name,
          version,
          digest: contentDigest(locked.files),
          size: archive.size,
          sha256: archive.sha256,
          compression,
          path: archive.path,
        };
      },
    },
  };
}

const key = ({ name, version, arch }: { name: string; version: string; arch: string }): string => `${name} ${version} ${arch}`;

async function makeDocument(name: DocumentName, { context, state }: OperatorOptions): Promise<void> {
  switch (name) {
    case 'service-account.key':
    case 'service-account.pub':
      return state.createSecret(name);
    case 'encryption-config.yaml': {
      await state.createSecret('encryption-key');
      const secret = (await state.secretBytes('encryption-key')).toString();
      await state.secretDocument(name, () => context.render('kube-apiserver/encryption-config.yaml.hbs', { name: 'key-1', secret }));
      return;
    }
    case 'cluster-id':
      await state.secretDocument(name, async () => `${idFrom(sha256(await state.authorityCertificate('kubernetes')))}\n`);
      return;
    case 'client-ca.crt':
      // Two authorities may vouch for clients: the cluster's own, and the one whose key is on the control planes.
      await state.secretDocument(
        name,
        async () => (await state.authorityCertificate('kubernetes')) + (await state.authorityCertificate('kubelet-client')),
      );
  }
}

/** Of a certificate and its key only what this run has issued: a host's own are its own. */
async function bytesOf(ref: string, state: State): Promise<Buffer | undefined> {
  const colon = ref.indexOf(':');
  const kind = ref.slice(0, colon);
  const name = ref.slice(colon + 1);
  switch (kind) {
    case 'authority':
      return Buffer.from(await state.authorityCertificate(name as Authority));
    case 'authority-key':
      return Buffer.from(await state.authorityKey(name as Authority));
    case 'document':
      return state.secretBytes(name);
    case 'certificate':
    case 'key': {
      const slash = name.indexOf('/');
      const pair = state.issued(name.slice(0, slash), name.slice(slash + 1));
      return pair && Buffer.from(kind === 'key' ? pair.keyPem : pair.certificatePem);
    }
    default:
      throw bug(`nothing is known of ${ref}`);
  }
}
