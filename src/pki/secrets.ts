import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';

/** Secrets of the cluster that Slipway makes itself. */
export type SecretName = 'encryption-key' | 'service-account.key' | 'service-account.pub';

/** How each is made; `read` gives another secret's bytes, making it first when it is not there yet. */
export const makers: Readonly<Record<SecretName, (read: (name: SecretName) => Promise<Buffer>) => string | Promise<string>>> = {
  /** For secretbox: 32 random bytes, base64, no line end. */
  'encryption-key': () => randomBytes(32).toString('base64'),
  /** P-256: kube-apiserver signs tokens with ES256 then, which is far cheaper than RSA. */
  'service-account.key': () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  'service-account.pub': async (read) =>
    createPublicKey(createPrivateKey(await read('service-account.key')))
      .export({ type: 'spki', format: 'pem' })
      .toString(),
};
