import type { AnyAuthMethod, AuthenticationType, Prompt } from 'ssh2';
import type { SlipwayError } from '../base/errors.ts';
import type { Asker } from './asker.ts';
import { identities } from './identities.ts';
import type { Target } from './target.ts';

export interface Authentication {
  /** ssh2's authHandler: called for every next attempt with what the server still allows. */
  next(left: AuthenticationType[] | null, partial: boolean | null, use: (method: AnyAuthMethod | false) => void): void;
  failure(): SlipwayError | undefined;
  readonly offered: readonly string[];
  readonly certificates: readonly string[];
  readonly problems: readonly string[];
  /** Methods that the server said it accepts, once it has said so. */
  accepted(): readonly string[];
  /** Whether a password was sent. */
  passwordTried(): boolean;
}

/** Keys first, then a password if the server takes one and somebody can be asked. Each is tried once: hosts lock accounts out. */
export async function authentication(target: Target, asker: Asker): Promise<Authentication> {
  const keys = await identities(target, asker);
  const username = target.user;
  const tried = new Set<string>();
  let accepted: readonly string[] = [];
  let passwordTried = false;

  const password = async (): Promise<string | undefined> => {
    const answer = await asker.secret({ kind: 'password', subject: `${username}@${target.name}`, host: target.name });
    if (answer !== undefined) passwordTried = true;
    return answer;
  };

  const method = async (left: AuthenticationType[] | null): Promise<AnyAuthMethod | false> => {
    const untried = (name: string): boolean => !tried.has(name) && (left === null || left.includes(name as AuthenticationType));
    if (keys.offered.length > 0 && untried('publickey')) {
      tried.add('publickey');
      return { type: 'agent', username, agent: keys.agent };
    }
    if (left === null && !tried.has('none')) {
      tried.add('none');
      return { type: 'none', username };
    }
    if (left !== null && untried('password')) {
      tried.add('password');
      const answer = await password();
      if (answer !== undefined) return { type: 'password', username, password: answer };
    }
    // Where a password was refused, the same one again would only count as a second failure.
    if (left !== null && untried('keyboard-interactive') && !passwordTried) {
      tried.add('keyboard-interactive');
      return { type: 'keyboard-interactive', username, prompt: (...[, , , prompts, finish]) => answerAll(prompts, finish) };
    }
    return false;
  };

  const answerAll = (prompts: Prompt[], finish: (answers: string[]) => void): void => {
    const answers = async (): Promise<string[]> => {
      const list: string[] = [];
      for (const { prompt } of prompts) {
        const isPassword = /password/i.test(prompt);
        const subject = `${username}@${target.name} ${prompt.trim()}`;
        list.push((isPassword ? await password() : await asker.secret({ kind: 'password', subject, host: target.name })) ?? '');
      }
      return list;
    };
    answers().then(finish, () => finish([]));
  };

  return {
    next(left, _partial, use) {
      if (left !== null) accepted = left;
      method(left).then(use, () => use(false));
    },
    failure: keys.failure,
    offered: keys.offered,
    certificates: keys.certificates,
    problems: keys.problems,
    accepted: () => accepted,
    passwordTried: () => passwordTried,
  };
}
