import type { HostKeyQuestion, Prompts } from './target.ts';

type SecretQuestion = Parameters<Prompts['secret']>[0];

/** The questions of all connections of a run: one at a time, and the same one only once. */
export interface Asker {
  secret(question: SecretQuestion): Promise<string | undefined>;
  hostKey(question: HostKeyQuestion): Promise<boolean>;
  /** Runs something else that may wait for a person, such as an agent that wants its key to be touched. */
  waitFor<T>(task: () => Promise<T>): Promise<T>;
}

const askers = new WeakMap<Prompts, Asker>();

/** The asker that belongs to these prompts: every connection that is given the same prompts shares its answers. */
export function askerFor(prompts: Prompts | undefined): Asker {
  if (prompts === undefined) return { secret: async () => undefined, hostKey: async () => false, waitFor: (task) => task() };
  const existing = askers.get(prompts);
  if (existing !== undefined) return existing;
  const asker = createAsker(prompts);
  askers.set(prompts, asker);
  return asker;
}

function createAsker(prompts: Prompts): Asker {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(ask: () => Promise<T>): Promise<T> => {
    const mine = last.then(ask);
    last = mine.catch(() => {});
    return mine;
  };
  const secrets = new Map<string, Promise<string | undefined>>();
  return {
    secret(question) {
      const key = `${question.kind} ${question.subject}`;
      const answer = secrets.get(key) ?? inTurn(() => prompts.secret(question));
      secrets.set(key, answer);
      return answer;
    },
    hostKey: (question) => inTurn(() => prompts.hostKey(question)),
    waitFor: (task) => task(),
  };
}
