import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A secret by the name under which a failing test speaks of it, with the texts by which it would be recognised. */
export interface Secret {
  name: string;
  forms: readonly string[];
}

/** As it is, in base64, and in hexadecimal digits. */
export function secret(name: string, value: string | Buffer): Secret {
  const bytes = Buffer.from(value);
  // Base64 of something inside a longer text depends on where it begins.
  const shifted = [0, 1, 2].map((n) =>
    Buffer.concat([Buffer.alloc(n), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  const forms = [...(typeof value === 'string' ? [value] : []), ...shifted, bytes.toString('hex')];
  return { name, forms: forms.filter((form) => form.length >= 8) };
}

/** Every private key and every other secret below a directory: of a PEM key each line, of all of it its beginning and its end in base64. */
export async function secretsBelow(directory: string): Promise<Secret[]> {
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const found = await Promise.all(
    files.map(async ({ parentPath, name }) => {
      const text = await readFile(join(parentPath, name), 'utf8');
      const keys = [...text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----\n?/g)].map(([pem]) => pem);
      if (keys.length > 0) return keys.map((pem) => keySecret(name, pem));
      return /encryption-key/.test(name) ? [secret(name, text.trim()), secret(`${name}, decoded`, Buffer.from(text, 'base64'))] : [];
    }),
  );
  return found.flat();
}

export function keySecret(name: string, pem: string): Secret {
  const lines = pem.split('\n').filter((line) => line.length >= 16 && !line.startsWith('-----'));
  const body = Buffer.from(lines.join(''), 'base64');
  const encoded = Buffer.from(pem).toString('base64');
  // The first bytes of a key are its type, which is the same in all keys.
  return { name, forms: [...lines.slice(1), lines.join('').slice(48, 88), encoded.slice(120, 180), body.subarray(40).toString('hex')] };
}

/** Which secrets stand in a text. */
export function secretsIn(text: string, secrets: readonly Secret[]): string[] {
  return secrets.flatMap(({ name, forms }) => (forms.some((form) => text.includes(form)) ? [name] : []));
}
