import { DefaultRenderer, Listr, ListrLogger, ProcessOutput, type ListrTaskWrapper } from 'listr2';
import type { Plan } from '../../engine/plan.ts';
import type { StepName } from '../../engine/events.ts';
import { painter, seconds } from '../style.ts';
import type { Renderer } from './renderer.ts';

type Task = Pick<ListrTaskWrapper<unknown, never, never>, 'title' | 'output' | 'skip'>;

/** It draws on standard error: where standard output leads is not its business, and listr2 asks that one alone. */
class Redrawing extends DefaultRenderer {
  static override nonTTY = true;
}

/** One line of the display: a task that is told from outside how it goes, until it has ended. What comes later is not drawn. */
interface Line {
  title(text: string): void;
  output(text: string): void;
  done(): void;
  fail(message: string): void;
  skip(message: string): void;
}

/** A group of lines that is drawn until all of them have ended. */
interface Board {
  line(id: string): Line | undefined;
  end(): Promise<void>;
}

/** What happens, redrawn in place: the phases of the plan with the hosts that are at work in them. */
export function terminalRenderer(
  out: NodeJS.WriteStream,
  options: { color: boolean; phaseTitles: Readonly<Record<string, string>> },
): Renderer {
  const paint = painter(options.color);
  let board: Board | undefined;
  let drawn: Promise<void> = Promise.resolve();
  let plan: Plan | undefined;
  let progress = new Map<string, Progress>();
  let hosts = { all: 0, read: 0 };
  const waiting: string[] = [];
  let checks = noChecks;

  const show = (lines: readonly { id: string; title: string }[]): void => {
    const before = endBoard();
    const next = createBoard(lines, { out, after: before });
    board = next;
  };
  const endBoard = (): Promise<void> => {
    for (const [phase, entry] of progress) if (settled(entry) < entry.all) conclude(phase, entry);
    progress = new Map();
    const ending = board?.end() ?? Promise.resolve();
    board = undefined;
    drawn = drawn
      .then(() => ending)
      .then(() => {
        for (const text of waiting.splice(0)) out.write(text);
      });
    return drawn;
  };
  const say = (text: string): void => void (board ? waiting.push(text) : out.write(text));

  const advance = (step: StepName, how: 'done' | 'failed' | 'skipped', message = ''): void => {
    const entry = progress.get(step.phase);
    if (!entry) return;
    entry[how] += 1;
    if (how === 'failed') entry.messages.push(`${step.host}: ${message}`);
    entry.active.delete(step.host);
    const line = board?.line(step.phase);
    if (!line) return;
    line.title(
      `${titleOf(step.phase)} ${paint('dim', `${entry.done}/${entry.all}${settled(entry) === entry.all && entry.since ? ` in ${seconds(performance.now() - entry.since)}` : ''}`)}`,
    );
    line.output(activity(entry));
    if (settled(entry) >= entry.all) conclude(step.phase, entry);
  };
  /** Also of a phase that the end of the run cuts off in the middle: that is not done. */
  const conclude = (phase: string, entry: Progress): void => {
    const line = board?.line(phase);
    if (entry.failed > 0) line?.fail(entry.messages.join('\n'));
    else if (entry.done < entry.all) line?.skip(`${titleOf(phase)}: ${entry.done === 0 ? 'not done' : 'not finished'}`);
    else line?.done();
  };
  const titleOf = (phase: string): string => options.phaseTitles[phase] ?? phase;

  return {
    handle(event) {
      switch (event.code) {
        case 'run.started':
          hosts = { all: event.hosts.length, read: 0 };
          break;
        case 'stage':
          if (event.stage === 'gather') show([{ id: 'gather', title: 'Reading the hosts' }]);
          else if (event.stage === 'run' && plan) {
            const phases = progressOf(plan);
            show([...phases].map(([id, { all }]) => ({ id, title: `${titleOf(id)} ${paint('dim', `0/${all}`)}` })));
            progress = phases;
          } else if (event.stage === 'verify') {
            checks = noChecks;
            show([{ id: 'verify', title: 'Verifying' }]);
          } else void endBoard();
          break;
        case 'host.gathered':
          hosts.read += 1;
          board
            ?.line('gather')
            ?.title(`Reading the hosts ${paint('dim', hosts.all > 0 ? `${hosts.read}/${hosts.all}` : String(hosts.read))}`);
          break;
        case 'plan.made':
          plan = event.plan;
          break;
        case 'step.started': {
          const entry = progress.get(event.step.phase);
          if (!entry) break;
          entry.since ??= performance.now();
          entry.active.set(event.step.host, event.step.summary);
          board?.line(event.step.phase)?.output(activity(entry));
          break;
        }
        case 'step.progress': {
          const entry = progress.get(event.step.phase);
          if (!entry || !event.text) break;
          entry.active.set(event.step.host, event.text);
          board?.line(event.step.phase)?.output(activity(entry));
          break;
        }
        case 'step.done':
          advance(event.step, 'done');
          break;
        case 'step.failed':
          advance(event.step, 'failed', event.message);
          break;
        case 'step.skipped':
          advance(event.step, 'skipped');
          break;
        case 'check.started':
          board?.line('verify')?.output(event.title);
          break;
        case 'check.done':
          checks = { ...checks, [event.result]: checks[event.result] + 1 };
          board?.line('verify')?.title(`Verifying ${paint('dim', counted(checks))}`);
          if (!event.ok) say(`${paint('red', '✖')} ${event.title}: ${event.message}\n`);
          break;
        case 'warning':
          say(
            `${paint('yellow', 'warning')} ${event.host ? `${event.host}: ` : ''}${event.message}${event.hint ? paint('dim', ` (${event.hint})`) : ''}\n`,
          );
          break;
        default:
      }
    },
    settle: endBoard,
    stop: endBoard,
  };
}

const noChecks = { pass: 0, warn: 0, fail: 0, untried: 0 };

function counted({ pass, warn, fail, untried }: typeof noChecks): string {
  return `${pass + warn} passed${fail > 0 ? `, ${fail} failed` : ''}${untried > 0 ? `, ${untried} not tried` : ''}`;
}

interface Progress {
  all: number;
  done: number;
  failed: number;
  skipped: number;
  since: number | undefined;
  /** Host to what it does. */
  active: Map<string, string>;
  messages: string[];
}

function progressOf(plan: Plan): Map<string, Progress> {
  const progress = new Map<string, Progress>();
  for (const { phase } of plan.steps) {
    const entry = progress.get(phase) ?? { all: 0, done: 0, failed: 0, skipped: 0, since: undefined, active: new Map(), messages: [] };
    entry.all += 1;
    progress.set(phase, entry);
  }
  return progress;
}

function settled({ done, failed, skipped }: Progress): number {
  return done + failed + skipped;
}

/** A few hosts by name, many as a number. */
function activity({ active }: Progress): string {
  const shown = [...active].slice(0, 3).map(([host, words]) => `${host}: ${words}`);
  return [...shown, ...(active.size > 3 ? [`and ${active.size - 3} more hosts`] : [])].join('\n');
}

function createBoard(
  lines: readonly { id: string; title: string }[],
  { out, after }: { out: NodeJS.WriteStream; after: Promise<void> },
): Board {
  const byId = new Map<string, Line>();
  const endings: (() => void)[] = [];
  const tasks = lines.map(({ id, title }) => {
    let wrapper: Task | undefined;
    let open = true;
    let settle!: { resolve: () => void; reject: (error: Error) => void };
    const ended = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
    ended.catch(() => undefined);
    let text = { title, output: '' };
    const update = (): void => {
      // listr2 throws when something is said of a task that has ended.
      if (!wrapper || !open) return;
      wrapper.title = text.title;
      wrapper.output = text.output;
    };
    let skipped: string | undefined;
    const end = (how: () => void): void => {
      if (open) how();
      open = false;
    };
    const done = (): void => end(() => settle.resolve());
    byId.set(id, {
      title: (next) => ((text = { ...text, title: next }), update()),
      output: (next) => ((text = { ...text, output: next }), update()),
      done,
      fail: (message) => end(() => settle.reject(new Error(message))),
      skip: (message) => end(() => ((skipped = message), settle.resolve())),
    });
    endings.push(done);
    return {
      title,
      task: async (_: unknown, task: Task): Promise<void> => {
        wrapper = task;
        // What was told before drawing began: also of a line that has ended by then.
        [wrapper.title, wrapper.output] = [text.title, text.output];
        await ended;
        if (skipped !== undefined) task.skip(skipped);
      },
    };
  });
  const list = new Listr<unknown, typeof Redrawing>(tasks, {
    concurrent: true,
    exitOnError: false,
    renderer: Redrawing,
    // Its own handler would leave at once, with the hosts' locks held.
    registerSignalListeners: false,
    rendererOptions: {
      logger: new ListrLogger({ processOutput: new ProcessOutput(out, out) }),
      collapseErrors: false,
      collapseSkips: false,
      showErrorMessage: true,
    },
  });
  const finished = after
    .then(() => list.run())
    .then(
      () => undefined,
      () => undefined,
    );
  return {
    line: (id) => byId.get(id),
    end: () => {
      for (const end of endings) end();
      return finished;
    },
  };
}
