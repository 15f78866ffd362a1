import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, type FileHandle, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { TenancyError } from '../../errors.js';
import type { JunitCase } from './junit-case.js';
import { printAttributes, toSeconds } from './xml.js';

/** Cases that are kept in memory, in UTF-16 units; what is more goes to temporary files. */
const KEPT = 1024 * 1024;

interface Suite {
  tests: number;
  failures: number;
  errors: number;
  skipped: number;
  ms: number;
  kept: string[];
  /** Where the cases before those kept are. */
  spool: string | null;
}

export interface JunitEnd {
  readonly name: string;
  /** ISO 8601. */
  readonly at: string | null;
  readonly ms: number;
  readonly properties: Readonly<Record<string, string | number>>;
  /** The suite that is there where there is no case. */
  readonly emptySuite: string;
}

/** A JUnit report that grows by one case at a time: a suite's tag has its counts, so that it can only be written at the end. Memory doesn't grow with the cases. */
export interface JunitFile {
  /** Never throws and never waits. */
  add(suite: string, testcase: JunitCase): void;
  /** Whole or not at all. @throws TenancyError `TENANCY_JUNIT_UNWRITTEN` */
  write(end: JunitEnd): Promise<void>;
}

/** Looks whether the file can be written, before anything else is done. @throws TenancyError `TENANCY_JUNIT_UNWRITTEN` */
export async function openJunitFile(file: string): Promise<JunitFile> {
  await refuseForeign(file);
  const draft = join(dirname(file), `.${basename(file)}.${randomUUID().slice(0, 8)}`);
  await unwritten(file, async () => {
    await (await open(draft, 'wx')).close();
    await rm(draft);
  });
  const suites = new Map<string, Suite>();
  let keptLength = 0;
  let folder: string | null = null;
  let spilling: Promise<void> = Promise.resolve();
  let failure: { readonly error: unknown } | null = null;

  function spill(): void {
    keptLength = 0;
    const full = [...suites.values()].filter(({ kept }) => kept.length > 0).map((suite) => ({ suite, text: suite.kept.join('') }));
    for (const { suite } of full) suite.kept = [];
    spilling = spilling
      .then(async () => {
        folder ??= await mkdtemp(join(tmpdir(), 'tenancy-junit-'));
        for (const { suite, text } of full) {
          suite.spool ??= join(folder, randomUUID());
          await appendFile(suite.spool, text);
        }
      })
      .catch((error: unknown) => {
        failure ??= { error };
      });
  }

  return {
    add(name, { result, ms, xml }) {
      const suite = suites.get(name) ?? createSuite();
      suites.set(name, suite);
      suite.tests += 1;
      if (result === 'failure') suite.failures += 1;
      else if (result === 'error') suite.errors += 1;
      else if (result === 'skipped') suite.skipped += 1;
      suite.ms += ms;
      suite.kept.push(xml);
      keptLength += xml.length;
      if (keptLength > KEPT) spill();
    },
    async write(end) {
      await unwritten(file, async () => {
        try {
          await spilling;
          if (failure !== null) throw (failure as { readonly error: unknown }).error;
          const handle = await open(draft, 'wx');
          try {
            await writeReport(handle, suites, end);
            await handle.sync();
          } finally {
            await handle.close();
          }
          await rename(draft, file);
        } finally {
          await rm(draft, { force: true });
          if (folder !== null) await rm(folder, { recursive: true, force: true });
        }
      });
    },
  };
}

function createSuite(): Suite {
  return { tests: 0, failures: 0, errors: 0, skipped: 0, ms: 0, kept: [], spool: null };
}

async function writeReport(
  handle: FileHandle,
  suites: ReadonlyMap<string, Suite>,
  { name, at, ms, properties, emptySuite }: JunitEnd,
): Promise<void> {
  // Without any suite some readers take the report for a broken one, and its properties would have no place.
  const named = suites.size === 0 ? [[emptySuite, createSuite()] as const] : [...suites].sort(([a], [b]) => (a < b ? -1 : 1));
  const sum = (amount: (suite: Suite) => number): number => named.reduce((total, [, suite]) => total + amount(suite), 0);
  const timestamp = at?.slice(0, 19);
  const all = {
    name,
    tests: sum(({ tests }) => tests),
    failures: sum(({ failures }) => failures),
    errors: sum(({ errors }) => errors),
    skipped: sum(({ skipped }) => skipped),
    time: toSeconds(ms),
    timestamp,
  };
  await handle.writeFile(`<?xml version="1.0" encoding="UTF-8"?>\n<testsuites${printAttributes(all)}>\n`);
  for (const [suiteName, { tests, failures, errors, skipped, ms: suiteMs, kept, spool }] of named) {
    const attributes = { name: suiteName, tests, failures, errors, skipped, time: toSeconds(suiteMs), timestamp };
    await handle.writeFile(`  <testsuite${printAttributes(attributes)}>\n${printProperties(properties)}`);
    if (spool !== null) for await (const chunk of createReadStream(spool)) await handle.writeFile(chunk as Buffer);
    await handle.writeFile(`${kept.join('')}  </testsuite>\n`);
  }
  await handle.writeFile('</testsuites>\n');
}

function printProperties(properties: JunitEnd['properties']): string {
  const lines = Object.entries(properties).map(([name, value]) => `      <property${printAttributes({ name, value })}/>\n`);
  return lines.length === 0 ? '' : `    <properties>\n${lines.join('')}    </properties>\n`;
}

/** An older report is written over; a slip of the keyboard must not cost somebody a file of another kind. */
async function refuseForeign(file: string): Promise<void> {
  await unwritten(file, async () => {
    const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (found === null || (found.isFile() && found.size === 0)) return;
    if (!found.isFile()) throw new Error(found.isDirectory() ? 'it is a folder' : 'it is no ordinary file');
    const start = (await readStart(file)).trimStart();
    if (!/^(<\?xml[^>]*>\s*)?<testsuites?[\s>]/.test(start)) throw new Error('a file that is no JUnit report is there already');
  });
}

async function readStart(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(512) });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function unwritten(file: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    const reason = explain(cause as NodeJS.ErrnoException, file);
    throw new TenancyError('TENANCY_JUNIT_UNWRITTEN', { file, reason }, { cause });
  }
}

function explain(error: NodeJS.ErrnoException, file: string): string {
  if (error.code === 'ENOENT') return `there is no folder ${dirname(file)}`;
  if (error.code === 'ENOTDIR') return `${dirname(file)} is no folder`;
  if (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS') return `nothing may be written to ${dirname(file)}`;
  return error.message;
}
