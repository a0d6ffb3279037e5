import Handlebars from 'handlebars';
import { bug } from '../base/errors.ts';
import type { Flag } from '../components/component.ts';

export type Render = (template: string, data: Readonly<Record<string, unknown>>) => string;

/**
 * Renders templates whose texts are passed in, keyed by their path under templates/. Nothing is HTML-escaped; a name that the data does
 * not have is an error; values that could break out of their line go through a helper: `yaml`, `json`, `flag`.
 */
export function createRenderer(texts: Readonly<Record<string, string>>): Render {
  const handlebars = Handlebars.create();
  // JSON is a subset of YAML, so one spelling is right for both.
  handlebars.registerHelper('yaml', (value: unknown) => JSON.stringify(value));
  handlebars.registerHelper('json', (value: unknown) => JSON.stringify(value));
  handlebars.registerHelper('flag', ({ name, value }: Flag) => unitWord(`--${name}=${value}`));
  const compiled = new Map<string, Handlebars.TemplateDelegate>();
  return (template, data) => {
    const text = texts[template];
    if (text === undefined) throw bug(`there is no template ${template}`);
    let run = compiled.get(template);
    if (!run) compiled.set(template, (run = handlebars.compile(text, { noEscape: true, strict: true })));
    return run(data);
  };
}

/** One word of an ExecStart line: systemd.service(5), "Command lines", and the % specifiers of systemd.unit(5). */
export function unitWord(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./*$-]+$/.test(escaped)
    ? escaped
    : `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
