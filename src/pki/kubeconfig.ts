import { Document } from 'yaml';
import { bug } from '../base/errors.ts';

export interface KubeconfigOptions {
  cluster: string;
  /** One for each way to the API, the first is the current context; a lone one takes the cluster's name as its context. URLs with port. */
  servers: readonly { name: string; url: string }[];
  user: string;
  /** PEM. */
  certificate: string;
  key: string;
  authority: string;
}

/** The text of a kubeconfig with everything embedded: one context for each server, all with the same user. */
export function operatorKubeconfig({ cluster, servers, user, certificate, key, authority }: KubeconfigOptions): string {
  if (servers.length === 0) throw bug('A kubeconfig needs a server');
  const names = servers.map(({ name }) => (servers.length === 1 ? cluster : `${cluster}-${name}`));
  // Two clusters merged into one file must not share a user.
  const qualifiedUser = `${cluster}-${user}`;
  const document = new Document({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: servers.map(({ url }, i) => ({ name: names[i], cluster: { server: url, 'certificate-authority-data': base64(authority) } })),
    users: [{ name: qualifiedUser, user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) } }],
    contexts: names.map((name) => ({ name, context: { cluster: name, user: qualifiedUser } })),
    'current-context': names[0],
    preferences: {},
  });
  return document.toString({ lineWidth: 0 });
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}
