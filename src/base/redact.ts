import { quote } from './quote.ts';

/** What stands in place of a secret. */
export const redacted = '***';

/** A shorter text is not searched for: it would blot out ordinary words, and by that be easy to guess. */
const shortestSecret = 4;
/** A filter holds back at most this many characters while it waits for the end of a line or of a key. */
const longestHeld = 1 << 16;

export interface Redactor {
  /** From now on this text is removed, also as it looks in base64, JSON, a URL or a shell word; of several lines each long one too. */
  add(secret: string): void;
  /** The text without the secrets that were added, without private keys, and without what looks like a token or password. */
  redact(text: string): string;
  /** The same for a text that arrives in pieces cut anywhere. */
  filter(): RedactingFilter;
}

export interface RedactingFilter {
  /** Gives back what can be shown already. */
  push(text: string): string;
  /** Gives back the rest. */
  end(): string;
}

/** Shapes that are secret whatever their value; with a lookbehind, so that the match is the value alone. */
const shapes: readonly RegExp[] = [
  // A private key, or its beginning when the end was cut off.
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z0-9 ]*PRIVATE KEY-----|[\s\S]*$)/g,
  // JSON Web Tokens: service accounts, OIDC.
  /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/g,
  // Bootstrap tokens (bootstrap.kubernetes.io: 6 characters, a dot, 16 characters).
  /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g,
  /(?<=\bbearer\s+)[\w.~+/=-]{8,}/gi,
  /(?<=\bauthorization["']?\s*:\s*["']?basic\s+)[\w+/=-]+/gi,
  // Fields of kubeconfigs, encryption configurations and the like, as YAML, JSON, flags or environment.
  /(?<=\b(?:client-key-data|clientKeyData|token|password|passwd|passphrase|secret|secretbox|aescbc|private[-_]?key|api[-_]?key|access[-_]?key)["']?[ \t]*[:=][ \t]*)(?:"(?:[^"\\\n]|\\.)+"|'[^'\n]+'|[^\s"',;&{}[\]]+)/gi,
  // Credentials in a URL.
  /(?<=\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s:/@]+(?=@)/gi,
];

/** Base64 of PEM, as kubeconfigs and Secrets hold it; certificates are public, so the text inside decides. */
const encodedPem = /LS0tLS1CRUdJTi[A-Za-z0-9+/]+=*/g;

export function createRedactor(): Redactor {
  const secrets = new Set<string>();
  const redact = (text: string): string => {
    let result = text;
    // A replacement can bring the parts of another secret together.
    for (let round = 0; round < 3; round++) {
      const ranges = secretRanges(result, secrets);
      if (ranges.length === 0) break;
      result = replaceRanges(result, ranges);
    }
    return result;
  };
  return {
    add(secret) {
      for (const form of formsOf(secret)) if (form.length >= shortestSecret) secrets.add(form);
    },
    redact,
    filter: () => createFilter(redact, secrets),
  };
}

function formsOf(secret: string): string[] {
  const trimmed = secret.trim();
  const lines = trimmed.includes('\n') ? trimmed.split('\n').map((line) => line.trim()) : [];
  // Short lines of a key file are no secrets of their own: "-----END", "}".
  const long = lines.filter((line) => line.length >= 16 && !line.startsWith('-----'));
  const base64 = [secret, trimmed].flatMap((text) => [
    Buffer.from(text).toString('base64'),
    Buffer.from(text).toString('base64url'),
    Buffer.from(`${text}\n`).toString('base64'),
  ]);
  const quoted = [
    JSON.stringify(trimmed).slice(1, -1),
    encodeURIComponent(Buffer.from(trimmed).toString()),
    trimmed.includes('\0') ? '' : quote(trimmed),
  ];
  return [trimmed, ...long, ...base64, ...quoted];
}

type Range = readonly [start: number, end: number];

/** Where secrets stand, in order, overlapping ones joined. */
function secretRanges(text: string, secrets: ReadonlySet<string>): Range[] {
  const found: Range[] = [];
  for (const secret of secrets) {
    for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1)) found.push([at, at + secret.length]);
  }
  for (const shape of shapes) {
    for (const match of text.matchAll(shape)) if (match[0] !== redacted) found.push([match.index, match.index + match[0].length]);
  }
  for (const match of text.matchAll(encodedPem)) {
    if (Buffer.from(match[0].slice(0, 80), 'base64').includes('PRIVATE KEY')) found.push([match.index, match.index + match[0].length]);
  }
  found.sort((a, b) => a[0] - b[0]);
  const joined: [number, number][] = [];
  for (const [start, end] of found) {
    const last = joined.at(-1);
    if (last !== undefined && start < last[1]) last[1] = Math.max(last[1], end);
    else joined.push([start, end]);
  }
  return joined;
}

function replaceRanges(text: string, ranges: readonly Range[]): string {
  let result = '';
  let at = 0;
  for (const [start, end] of ranges) {
    result += text.slice(at, start) + redacted;
    at = end;
  }
  return result + text.slice(at);
}

/** Shows whole lines only, and of these only what no secret can begin in that ends in a later piece. */
function createFilter(redact: (text: string) => string, secrets: ReadonlySet<string>): RedactingFilter {
  let held = '';
  /** Inside a private key that grew too long to hold: everything is thrown away up to its end. */
  let swallowing = false;
  const swallow = (): void => {
    const end = /-----END [A-Z0-9 ]*PRIVATE KEY-----/.exec(held);
    if (end === null) held = held.slice(-128);
    else {
      swallowing = false;
      held = held.slice(end.index + end[0].length);
    }
  };
  return {
    push(text) {
      held += text;
      if (swallowing) swallow();
      if (swallowing) return '';
      let cut = safeCut(held, secrets);
      let shown = '';
      if (held.length - cut > longestHeld) {
        const key = openKey(held);
        if (key !== undefined) {
          shown = redact(held.slice(0, key)) + redacted;
          held = held.slice(key);
          swallowing = true;
          swallow();
          return shown;
        }
        cut = forcedCut(held, secrets);
      }
      shown = redact(held.slice(0, cut));
      held = held.slice(cut);
      return shown;
    },
    end() {
      const rest = swallowing ? '' : redact(held);
      held = '';
      return rest;
    },
  };
}

/** The end of the last whole line; earlier where a key, or a secret of several lines, may go on in the next piece. */
function safeCut(text: string, secrets: ReadonlySet<string>): number {
  let cut = text.lastIndexOf('\n') + 1;
  if (cut === 0) return 0;
  const key = openKey(text.slice(0, cut));
  if (key !== undefined) cut = key;
  const ofLines = [...secrets].filter((secret) => secret.includes('\n'));
  for (let at = Math.max(0, cut - Math.max(0, ...ofLines.map((secret) => secret.length))); at < cut; at++) {
    if (ofLines.some((secret) => secret.length > cut - at && secret.startsWith(text.slice(at, cut)))) cut = at;
  }
  return notWithinSecret(text, cut, secrets);
}

/** The cut, moved to the beginning of the secrets that it would split. */
function notWithinSecret(text: string, cut: number, secrets: ReadonlySet<string>): number {
  const across = secretRanges(text, secrets).find(([start, end]) => start < cut && end > cut);
  return across === undefined ? cut : across[0];
}

/** Where a private key begins that has not ended yet. */
function openKey(text: string): number | undefined {
  const begin = text.lastIndexOf('-----BEGIN ');
  if (begin === -1) return undefined;
  const rest = text.slice(begin);
  if (!/^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(rest)) return undefined;
  return /-----END [A-Z0-9 ]*PRIVATE KEY-----/.test(rest) ? undefined : begin;
}

/** A place in a very long line where no secret in sight is split; half of what is held stays, for those that are not in sight yet. */
function forcedCut(text: string, secrets: ReadonlySet<string>): number {
  const wanted = text.length - longestHeld / 2;
  const cut = notWithinSecret(text, wanted, secrets);
  return cut === 0 ? wanted : cut;
}

/** The value with every text in it redacted: before it is encoded, so that what comes out is still JSON. */
export function redactDeep(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, redact));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactDeep(item, redact)]));
}
