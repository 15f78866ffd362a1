import { Listr, type ListrRendererFactory, type ListrTask, type ListrTaskObject } from 'listr2';
import type { RunEvent, StepName } from '../events.js';
import { formatDuration } from './format.js';
import type { LiveArea } from './live-area.js';
import type { Palette } from './palette.js';
import type { RunTally } from './run-tally.js';
import { sanitizeLine } from './sanitize.js';
import { describeCommand, describeStep } from './words.js';

type StepEnd = { readonly status: 'done' | 'done-before' | 'failed' | 'not-reached'; readonly ms: number; readonly detail?: string };

interface StepFacts {
  readonly step: StepName;
  startedAtMs: number | null;
  migrations: { readonly name: string; readonly ms: number }[];
  end: StepEnd | null;
  settle: (end: StepEnd) => void;
}

const PAINT_MS = 100;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const MAX_MIGRATIONS = 40;

type StepTask = Pick<ListrTaskObject<unknown, ListrRendererFactory, ListrRendererFactory>, 'isSkipped' | 'hasFailed' | 'isCompleted'>;

interface StepsRendererOptions {
  readonly attach: (tasks: readonly StepTask[]) => void;
  readonly paint: () => void;
}

/** Hands listr2's tasks to the view, which paints them. */
class StepsRenderer {
  /** Whether there is a terminal has been decided before, and not by stdout. */
  static readonly nonTTY = true;
  static readonly rendererOptions: StepsRendererOptions = { attach: () => {}, paint: () => {} };
  static readonly rendererTaskOptions: never;
  readonly render: () => void;
  readonly end: () => void;

  constructor(tasks: readonly StepTask[], { attach, paint }: StepsRendererOptions) {
    attach(tasks);
    this.render = paint;
    this.end = paint;
  }
}

/**
 * The steps of one tenant as listr2 tasks, each settled by its event.
 *
 * The renderer is ours: listr2's own goes by stdout being a terminal (our progress is on stderr), hides the cursor and takes both streams over.
 */
export class StepsView {
  private readonly area: LiveArea;
  private readonly palette: Palette;
  private readonly tally: RunTally;
  private readonly isVerbose: boolean;
  private facts: readonly StepFacts[] = [];
  private tasks: readonly StepTask[] = [];
  private title = '';
  private note = '';
  private timer: NodeJS.Timeout | undefined;
  private run: Promise<unknown> = Promise.resolve();

  constructor(area: LiveArea, tally: RunTally, palette: Palette, isVerbose: boolean) {
    this.area = area;
    this.palette = palette;
    this.tally = tally;
    this.isVerbose = isVerbose;
    this.timer = setInterval(() => this.paint(), PAINT_MS).unref();
  }

  observe(event: RunEvent): void {
    if (event.type === 'tenant.started' && this.facts.length === 0) this.start(event);
    if (event.type === 'step.started') {
      const facts = this.find(event.step);
      if (facts !== undefined) facts.startedAtMs = Date.now();
      this.note = '';
    }
    if (event.type === 'migration.finished') {
      const facts = this.find('migrate') ?? this.find('rollback');
      facts?.migrations.push({ name: event.migration, ms: event.ms });
    }
    if (event.type === 'step.finished') this.endStep(event);
    if (event.type === 'tenant.retried')
      this.note = `attempt ${event.attempt} in ${formatDuration(event.delayMs)}, after: ${sanitizeLine(event.error.message)}`;
  }

  /** Paints the steps as they ended, and leaves them there. */
  async end(): Promise<void> {
    clearInterval(this.timer);
    this.note = '';
    for (const facts of this.facts) facts.settle(facts.end ?? { status: 'not-reached', ms: 0 });
    await this.run;
    this.area.clear();
    if (this.facts.length > 0) this.area.print([...this.draw().lines, '']);
  }

  private start({ tenant, cluster, steps }: Extract<RunEvent, { type: 'tenant.started' }>): void {
    this.title = `${describeCommand(this.tally.command).verb} ${this.palette.bold(sanitizeLine(tenant))} ${this.palette.dim(`on ${sanitizeLine(cluster)}`)}`;
    const gates = steps.map((step) => {
      let settle: (end: StepEnd) => void = () => {};
      const ended = new Promise<StepEnd>((resolve) => (settle = resolve));
      return { facts: { step, startedAtMs: null, migrations: [], end: null, settle } satisfies StepFacts as StepFacts, ended };
    });
    this.facts = gates.map(({ facts }) => facts);
    const tasks: ListrTask<unknown, typeof StepsRenderer>[] = gates.map(({ facts, ended }) => ({
      title: describeStep(facts.step),
      task: async (_context, task) => {
        const end = await ended;
        if (end.status === 'done-before') task.skip('already done');
        else if (end.status === 'not-reached') task.skip('not reached');
        else if (end.status === 'failed') throw new Error(end.detail ?? 'failed');
      },
    }));
    const listr = new Listr(tasks, {
      renderer: StepsRenderer,
      rendererOptions: { attach: (attached) => (this.tasks = attached), paint: () => this.paint() },
      exitOnError: false,
      registerSignalListeners: false,
      concurrent: false,
    });
    this.run = listr.run();
  }

  private endStep({ step, status, ms, detail }: Extract<RunEvent, { type: 'step.finished' }>): void {
    const facts = this.find(step);
    // A step that was done stays done when the tenant is tried again.
    if (facts === undefined || (facts.end !== null && facts.end.status !== 'failed')) return;
    facts.end = { status, ms, ...(detail === undefined ? {} : { detail }) };
    // A failed step may be tried again: it is settled when the tenant is.
    if (status !== 'failed') facts.settle(facts.end);
  }

  private find(step: StepName): StepFacts | undefined {
    return this.facts.find((facts) => facts.step === step);
  }

  private paint(): void {
    const { lines, focus } = this.draw();
    this.area.paint(lines, focus);
  }

  /** The lines, and which of them matters most where not all can be shown. */
  private draw(): { readonly lines: readonly string[]; readonly focus: number } {
    const spinner = this.palette.cyan(FRAMES[Math.floor(Date.now() / PAINT_MS) % FRAMES.length] ?? '');
    if (this.facts.length === 0) return { lines: [`${spinner} ${describeCommand(this.tally.command).verb} …`], focus: 0 };
    const width = Math.max(...this.facts.map(({ step }) => describeStep(step).length));
    const lines = [this.title];
    let focus = 0;
    for (const [index, facts] of this.facts.entries()) {
      lines.push(...this.drawStep(facts, this.tasks[index], width, spinner));
      if (facts.startedAtMs !== null || facts.end !== null) focus = lines.length - 1;
    }
    if (this.note !== '') lines.push(`  ${this.palette.yellow(this.note)}`);
    return { lines, focus };
  }

  private drawStep(facts: StepFacts, task: StepTask | undefined, width: number, spinner: string): readonly string[] {
    const { palette } = this;
    const title = describeStep(facts.step);
    const row = (sign: string, name: string, rest: string): string =>
      `  ${sign} ${name}${' '.repeat(width - title.length)}  ${rest}`.trimEnd();
    const migrations = this.isVerbose ? this.drawMigrations(facts, width) : [];
    if (task?.isSkipped() === true) {
      if (facts.end?.status === 'done-before') return [row(palette.dim('✔'), title, palette.dim('already done'))];
      return [row(palette.dim('-'), palette.dim(title), palette.dim(facts.startedAtMs === null ? 'not reached' : 'interrupted'))];
    }
    if (task?.hasFailed() === true) return [...[row(palette.red('✖'), title, palette.dim(printTime(facts.end?.ms ?? 0)))], ...migrations];
    if (task?.isCompleted() === true) {
      const detail = facts.end?.detail === undefined ? '' : `  ${sanitizeLine(facts.end.detail)}`;
      return [row(palette.green('✔'), title, palette.dim(`${printTime(facts.end?.ms ?? 0)}${detail}`)), ...migrations];
    }
    if (facts.startedAtMs === null) return [row(palette.dim('·'), palette.dim(title), '')];
    const last = facts.migrations.at(-1);
    const elapsedMs = Date.now() - facts.startedAtMs;
    const seconds = elapsedMs < 1000 ? ' '.repeat(8) : printTime(elapsedMs);
    return [
      row(
        spinner,
        title,
        `${palette.dim(seconds)}${last === undefined ? '' : palette.dim(`  ${facts.migrations.length} done, ${sanitizeLine(last.name)}`)}`,
      ),
      ...migrations,
    ];
  }

  private drawMigrations(facts: StepFacts, width: number): readonly string[] {
    const shown = facts.migrations.slice(-MAX_MIGRATIONS);
    return shown.map(({ name, ms }) => this.palette.dim(`    ${' '.repeat(width)}  ${printTime(ms)}  ${sanitizeLine(name)}`));
  }
}

/** In a column of its own: `   12 ms`. */
function printTime(ms: number): string {
  return formatDuration(ms).padStart(8);
}
