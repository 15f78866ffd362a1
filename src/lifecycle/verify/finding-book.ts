import type { EmitRunEvent } from '../../events.js';
import { type FindingCode, type FindingStatus, severityOf } from '../../finding.js';
import type { Placement } from '../../tenant.js';
import { redact } from '../../util/redact.js';

/** `none`: findings are told. `dry`: and which of them would be mended. `fix`: what can be mended safely is. */
export type FixMode = 'none' | 'dry' | 'fix';

export interface NewFinding {
  readonly code: FindingCode;
  /** One sentence. */
  readonly message: string;
  readonly repair: string | null;
  /** What `--fix` does; it looks once more before it does it, and answers with what it did. Left out where only a person can decide. */
  readonly fix?: () => Promise<string>;
}

/** Of where a finding was made. */
export interface FindingPlace extends Placement {
  readonly tenant: string | null;
}

/** Tells findings as they are made, mends what may be mended, and keeps no more of them than a few. */
export class FindingBook {
  readonly #emit: EmitRunEvent;
  readonly #mode: FixMode;
  readonly #sentences: string[] = [];
  #left = 0;
  #fixed = 0;
  #all = 0;

  constructor(emit: EmitRunEvent, mode: FixMode) {
    this.#emit = emit;
    this.#mode = mode;
  }

  /** How many are there still that are more than a note. */
  get left(): number {
    return this.#left;
  }

  get fixed(): number {
    return this.#fixed;
  }

  /** Of any severity. */
  get all(): number {
    return this.#all;
  }

  /** Of what is left, the first few. */
  get sentences(): readonly string[] {
    return this.#sentences;
  }

  /** True: it is mended. */
  async add(place: FindingPlace, finding: NewFinding): Promise<boolean> {
    const { code, message, repair, fix } = finding;
    const severity = severityOf(code);
    const { status, detail } = await this.#mend(fix);
    const { tenant, cluster, driver, name } = place;
    this.#emit({
      type: 'tenant.finding',
      tenant,
      cluster,
      driver,
      name,
      code,
      severity,
      message: redact(message),
      repair: repair === null ? null : redact(repair),
      isFixable: fix !== undefined,
      status,
      ...(detail === undefined ? {} : { detail: redact(detail) }),
    });
    this.#all += 1;
    if (status === 'fixed') this.#fixed += 1;
    else if (severity !== 'note') {
      this.#left += 1;
      if (this.#sentences.length < SENTENCES)
        this.#sentences.push(message.startsWith(`${tenant}: `) ? message.slice(`${tenant}: `.length) : message);
    }
    return status === 'fixed';
  }

  async #mend(fix: NewFinding['fix']): Promise<{ readonly status: FindingStatus; readonly detail?: string }> {
    if (fix === undefined || this.#mode === 'none') return { status: 'found' };
    if (this.#mode === 'dry') return { status: 'would-fix' };
    try {
      return { status: 'fixed', detail: await fix() };
    } catch (error) {
      return { status: 'unfixed', detail: error instanceof Error ? error.message : String(error) };
    }
  }
}

const SENTENCES = 3;
