import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/** A program in a real terminal of 120 columns and 60 lines, by tmux. */
export interface Terminal {
  /** What the screen and its history show, without trailing spaces; a line that the terminal has broken is one. */
  screen(): Promise<string>;
  /** Waits until the screen matches, up to 60 s or `patienceMs`; rejects with the screen when it never does. */
  until(pattern: RegExp): Promise<string>;
  /** Types text, or presses a key by tmux's name (Enter, Down, C-c). */
  type(text: string): Promise<void>;
  press(...keys: string[]): Promise<void>;
  close(): Promise<void>;
}

/** Starts the command; when it ends, the screen says `exit code N`. Rejects when tmux is not installed. */
export async function openTerminal(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  patienceMs = 60_000,
): Promise<Terminal> {
  const socket = `slipway-${randomBytes(6).toString('hex')}`;
  const tmux = async (...words: string[]): Promise<string> => (await exec('tmux', ['-L', socket, '-f', '/dev/null', ...words])).stdout;
  const quoted = (words: readonly string[]): string => words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const line = `env -u CI -u NODE_OPTIONS ${quoted([...variables, ...command])}; echo "exit code $?"; exec cat`;
  await tmux('new-session', '-d', '-x', '120', '-y', '60', line);
  const screen = async (): Promise<string> => (await tmux('capture-pane', '-p', '-J', '-S', '-1000')).replaceAll(/ +$/gm, '').trimEnd();
  return {
    screen,
    async until(pattern) {
      const deadline = Date.now() + patienceMs;
      for (;;) {
        const text = await screen();
        if (pattern.test(text)) return text;
        if (Date.now() > deadline) throw new Error(`the terminal never showed ${String(pattern)}:\n${text}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    type: async (text) => void (await tmux('send-keys', '-l', text)),
    press: async (...keys) => void (await tmux('send-keys', ...keys)),
    close: async () => void (await tmux('kill-server')),
  };
}
