// What the stand-ins of migrators that can't be installed here have in common: each is a program that writes down how it was called, and leaves
// behind in the database what the real one does.
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

const SHOWN = /^(DATABASE_URL|PGPASSWORD|TENANCY_TENANT)$|^(FLYWAY|PRISMA|ATLAS)_/;

export function recordCall(tool) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => SHOWN.test(name)));
  appendFileSync('calls.ndjson', `${JSON.stringify({ tool, args: process.argv.slice(2), env })}\n`);
}

/** As the real ones do: a failure is a sentence on the error output and exit code 1. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    console.error(`Error: ${error.message}`);
    process.exitCode = 1;
  }
}

export async function connect(connectionString, searchPath) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  if (searchPath) await client.query(`SET search_path TO ${searchPath}`);
  return client;
}

export function flag(name) {
  const at = process.argv.indexOf(name);
  if (at < 0) throw new Error(`required flag ${name} is missing`);
  return process.argv[at + 1];
}

export function listFiles(directory, pattern) {
  return readdirSync(directory, { recursive: true })
    .map((file) => ({ file, match: pattern.exec(path.basename(file)), sql: () => readFileSync(path.join(directory, file), 'utf8') }))
    .filter(({ match }) => match);
}
