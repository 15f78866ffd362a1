import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigLoader, LoadAnswer } from './config-loader.js';
import { startConfigLoader } from './config-loader.js';

let directory: string;
let loader: ConfigLoader;

beforeAll(async () => {
  loader = await startConfigLoader();
});

afterAll(async () => {
  await loader.stop();
});

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'tenancy-config-'));
  // What jiti compiles is kept in here, and goes with it.
  await mkdir(path.join(directory, 'node_modules'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** As source, for configs that do more than this. */
const SOUND = `{ clusters: { main: { url: 'embedded:.tenancy/postgres' } }, placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' }, migrations: { directory: './migrations/tenant' } }`;

const SOUND_CONFIG = {
  clusters: { main: { url: 'embedded:.tenancy/postgres' } },
  placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
  migrations: { directory: './migrations/tenant' },
};

async function write(name: string, text: string): Promise<void> {
  const file = path.join(directory, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
}

interface LoadOptions {
  readonly configPath?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where the command is run, below the directory of the test. */
  readonly from?: string;
}

function ask({ from, ...options }: LoadOptions): Promise<LoadAnswer> {
  return loader.load({ cwd: path.join(directory, from ?? '.'), command: 'tenant migrate', env: {}, ...options });
}

async function load(options: LoadOptions = {}): Promise<Extract<LoadAnswer, { file: string }>> {
  const answer = await ask(options);
  if ('message' in answer) throw new Error(answer.message);
  return answer;
}

/** The code and message of the error, with the directory of the test taken out. */
async function failure(options: LoadOptions = {}): Promise<string> {
  const answer = await ask(options);
  if (!('message' in answer)) throw new Error('nothing was thrown');
  expect(answer.exitCode).toBe(2);
  return `${answer.code} ${answer.message.replaceAll(directory, '~')}`;
}

describe('a sound config', () => {
  const names = ['tenancy.config.ts', 'tenancy.config.mts', 'tenancy.config.js', 'tenancy.config.mjs', '.tenancyrc.ts', '.tenancyrc.mjs'];
  for (const name of names) {
    it(`is read from ${name}`, async () => {
      await write(name, `export default ${SOUND}`);
      expect(await load()).toEqual({ file: path.join(directory, name), config: SOUND_CONFIG });
    });
  }

  for (const name of ['tenancy.config.cjs', 'tenancy.config.cts']) {
    it(`is read from ${name}`, async () => {
      await write(name, `module.exports = ${SOUND}`);
      expect((await load()).file).toBe(path.join(directory, name));
    });
  }

  it('is read from the exports.default of compiled TypeScript', async () => {
    await write('tenancy.config.cjs', `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = ${SOUND}`);
    expect(Object.keys((await load()).config)).toContain('clusters');
  });

  for (const name of ['tenancy.config.json', '.tenancyrc.json', '.tenancyrc', 'tenancy.config.yaml', 'tenancy.config.yml']) {
    it(`is read from ${name}, with variables filled in`, async () => {
      await write(
        name,
        '{"clusters": {"main": {"url": "${DB}"}}, "placement": {"cluster": "main", "driver": "postgres-database", "name": "t_{id}"}}',
      );
      const { config } = await load({ env: { DB: 'postgres://u:p@h/db' } });
      expect(config).toHaveProperty('clusters.main.url', 'postgres://u:p@h/db');
    });
  }

  it('is read from the tenancy key of package.json', async () => {
    await write(
      'package.json',
      `{"name": "app", "tenancy": {"clusters": {"main": {"url": "embedded:db"}}, "placement": {"cluster": "main", "driver": "postgres-schema", "name": "t_{id}"}}}`,
    );
    expect((await load()).file).toBe(path.join(directory, 'package.json'));
  });

  it('may use what Node alone does not strip: enums, imports of types, imports without endings', async () => {
    await write(
      'tenancy.config.ts',
      `import { Shape, url } from './lib/url'\nenum Size { small = 3 }\nexport default { ...${SOUND}, clusters: { main: { url, concurrency: Size.small } } } as Shape`,
    );
    await write('lib/url.ts', `export interface Shape { clusters: object }\nexport const url: string = 'embedded:here'`);
    expect((await load()).config).toHaveProperty('clusters.main', { url: 'embedded:here', concurrency: 3 });
  });

  it('may be a function of the command and the environment, also an async one', async () => {
    await write('tenancy.config.mjs', `export default async ({ command, env }) => ({ ...${SOUND}, logs: command + ' ' + env.STAGE })`);
    expect((await load({ env: { STAGE: 'ci' } })).config).toHaveProperty('logs', 'tenant migrate ci');
  });

  it('leaves nothing beside itself', async () => {
    await write('tenancy.config.ts', `enum A { b }\nexport default ${SOUND}`);
    await load();
    expect((await readdir(directory)).sort()).toEqual(['node_modules', 'tenancy.config.ts']);
  });
});

describe('the search', () => {
  it('takes TypeScript before the JavaScript that was built from it', async () => {
    await write('tenancy.config.js', 'export default { stale: true }');
    await write('tenancy.config.ts', `export default ${SOUND}`);
    expect((await load()).file).toBe(path.join(directory, 'tenancy.config.ts'));
  });

  it('goes up to the folder with .git, past the package.json of a workspace', async () => {
    await write('.git/HEAD', '');
    await write('packages/api/package.json', '{}');
    await write('tenancy.config.mjs', `export default ${SOUND}`);
    expect((await load({ from: 'packages/api' })).file).toBe(path.join(directory, 'tenancy.config.mjs'));
  });

  it('goes no further up than that', async () => {
    await write('app/.git/HEAD', '');
    await write('app/src/x', '');
    await write('tenancy.config.mjs', `export default ${SOUND}`);
    expect(await failure({ from: 'app/src' })).toBe(
      'TENANCY_CONFIG_NOT_FOUND no tenancy.config.ts was found in ~/app/src or above it, up to ~/app',
    );
  });

  it('goes up to the outermost package.json where there is no .git', async () => {
    await write('package.json', '{"workspaces": []}');
    await write('packages/api/package.json', '{}');
    await write('tenancy.config.mjs', `export default ${SOUND}`);
    expect((await load({ from: 'packages/api' })).file).toBe(path.join(directory, 'tenancy.config.mjs'));
  });

  it('stops at a config whose code fails, though a file that it wants is missing', async () => {
    await write('.git/HEAD', '');
    await write('tenancy.config.mjs', `export default ${SOUND}`);
    await write('app/tenancy.config.mjs', `import { readFileSync } from 'node:fs'; readFileSync('/nonexistent/x'); export default 1`);
    expect(await failure({ from: 'app' })).toBe(
      "TENANCY_CONFIG_LOAD_FAILED ~/app/tenancy.config.mjs:1: the config threw: ENOENT: no such file or directory, open '/nonexistent/x'",
    );
  });
});

describe('a config that cannot be loaded', () => {
  const cases: readonly [title: string, name: string, text: string, expected: string | RegExp][] = [
    ['an empty file', 'tenancy.config.ts', ' \n', 'TENANCY_CONFIG_EMPTY ~/tenancy.config.ts: the config is empty'],
    ['an empty YAML document', 'tenancy.config.yaml', '# nothing\n', 'TENANCY_CONFIG_EMPTY ~/tenancy.config.yaml: the config is empty'],
    [
      'no default export',
      'tenancy.config.mjs',
      'export const config = {}',
      'TENANCY_CONFIG_EMPTY ~/tenancy.config.mjs: it has no default export',
    ],
    [
      'no default export in TypeScript',
      'tenancy.config.ts',
      'export const config = {}',
      'TENANCY_CONFIG_EMPTY ~/tenancy.config.ts: it has no default export',
    ],
    [
      'a function without return',
      'tenancy.config.mjs',
      'export default () => {}',
      'TENANCY_CONFIG_EMPTY ~/tenancy.config.mjs: the config function returned undefined; is a `return` missing?',
    ],
    [
      'a syntax error in TypeScript',
      'tenancy.config.ts',
      'export default {\n  a: 1\n  b: 2 }',
      'TENANCY_CONFIG_SYNTAX_REJECTED ~/tenancy.config.ts:3:3: syntax error: Unexpected token, expected ","',
    ],
    [
      'a syntax error in JavaScript',
      'tenancy.config.mjs',
      'export default {\n  a: 1\n  b: 2 }',
      /^TENANCY_CONFIG_SYNTAX_REJECTED ~\/tenancy\.config\.mjs:3:3: syntax error: /,
    ],
    [
      'a trailing comma in JSON',
      'tenancy.config.json',
      '{\n  "clusters": {},\n}',
      'TENANCY_CONFIG_SYNTAX_REJECTED ~/tenancy.config.json:2:17: syntax error: a trailing comma before }',
    ],
    [
      'a comment in JSON',
      'tenancy.config.json',
      '{\n  // x\n}',
      'TENANCY_CONFIG_SYNTAX_REJECTED ~/tenancy.config.json:2:3: syntax error: a comment, which JSON does not have (tenancy.config.yaml and tenancy.config.ts do)',
    ],
    [
      'a key twice in JSON',
      'tenancy.config.json',
      '{"logs": "a",\n "logs": "b"}',
      'TENANCY_CONFIG_SYNTAX_REJECTED ~/tenancy.config.json:2:2: syntax error: the key "logs" is given twice',
    ],
    [
      'JSON that ends early',
      'tenancy.config.json',
      '{"logs": ',
      'TENANCY_CONFIG_SYNTAX_REJECTED ~/tenancy.config.json:1:10: syntax error: expected a value, but the file ends',
    ],
    [
      'a key twice in YAML',
      'tenancy.config.yaml',
      'logs: a\nlogs: b\n',
      'TENANCY_CONFIG_SYNTAX_REJECTED ~/tenancy.config.yaml:2:1: syntax error: Map keys must be unique',
    ],
    [
      'a tab in YAML',
      'tenancy.config.yaml',
      'clusters:\n\tmain: x\n',
      /^TENANCY_CONFIG_SYNTAX_REJECTED ~\/tenancy\.config\.yaml:2:\d: syntax error: /,
    ],
    [
      'code that throws',
      'tenancy.config.ts',
      "const a: number = 1\n\nthrow new TypeError('boom')\nexport default a",
      'TENANCY_CONFIG_LOAD_FAILED ~/tenancy.config.ts:3: the config threw: TypeError: boom',
    ],
    [
      'code that throws a text',
      'tenancy.config.mjs',
      "throw 'a\\ntext'",
      'TENANCY_CONFIG_LOAD_FAILED ~/tenancy.config.mjs: the config threw: a text',
    ],
    [
      'code that throws undefined',
      'tenancy.config.mjs',
      'throw undefined',
      'TENANCY_CONFIG_LOAD_FAILED ~/tenancy.config.mjs: the config threw: undefined (not an Error)',
    ],
    [
      'a function that throws a secret',
      'tenancy.config.mjs',
      "export default () => { throw new Error('postgres://u:hunter22@h/db') }",
      'TENANCY_CONFIG_LOAD_FAILED ~/tenancy.config.mjs:1: the config function failed: postgres://u:***@h/db',
    ],
    [
      'a function that rejects with null',
      'tenancy.config.mjs',
      'export default async () => { await 1; throw null }',
      'TENANCY_CONFIG_LOAD_FAILED ~/tenancy.config.mjs: the config function failed: null (not an Error)',
    ],
    [
      'a promise that rejects',
      'tenancy.config.mjs',
      "export default Promise.reject(new RangeError('late'))",
      'TENANCY_CONFIG_LOAD_FAILED ~/tenancy.config.mjs:1: the promise that the config exports was rejected: RangeError: late',
    ],
    [
      'an import of a package that is missing',
      'tenancy.config.ts',
      "import x from 'nope/sub'\nexport default x",
      'TENANCY_CONFIG_IMPORT_FAILED ~/tenancy.config.ts can\'t be loaded: "nope/sub", which it imports, was not found',
    ],
    [
      'an import of a file that is missing',
      'tenancy.config.ts',
      "import x from './nope.js'\nexport default x",
      /^TENANCY_CONFIG_IMPORT_FAILED ~\/tenancy\.config\.ts can't be loaded: ".*nope\.js", which it imports, was not found$/,
    ],
    [
      'a variable that is not set',
      'tenancy.config.yaml',
      'clusters: { eu-1: { url: "${DATABASE_URL}" } }',
      'TENANCY_VARIABLE_UNSET ~/tenancy.config.yaml: `clusters["eu-1"].url`: the environment variable DATABASE_URL is not set',
    ],
    [
      'a variable with a default',
      'tenancy.config.yaml',
      'logs: "${LOGS:-x}"',
      'TENANCY_CONFIG_REJECTED ~/tenancy.config.yaml: `logs`: ${LOGS:-x} is not understood: write ${NAME} for a variable, $${ for a literal ${',
    ],
    [
      'a wrong value in package.json',
      'package.json',
      '{"tenancy": {"clusters": 3, "placement": {"cluster": "a", "driver": "postgres-schema", "name": "{id}"}}}',
      'TENANCY_CONFIG_REJECTED ~/package.json: `tenancy.clusters`: expected an object, got 3',
    ],
  ];
  for (const [title, name, text, expected] of cases) {
    it(`says so in one sentence: ${title}`, async () => {
      await write(name, text);
      const said = await failure();
      if (typeof expected === 'string') expect(said).toBe(expected);
      else expect(said).toMatch(expected);
    });
  }

  it('says which command brings a missing tenancy-cli', async () => {
    await write('tenancy.config.mjs', "import { sqlSeed } from 'tenancy-cli/hooks'; export default sqlSeed");
    expect(await ask({})).toMatchObject({ code: 'TENANCY_CONFIG_IMPORT_FAILED', hint: 'npm i -D tenancy-cli' });
  });

  it('says so where --config names nothing, or a directory', async () => {
    expect(await failure({ configPath: 'nope.ts' })).toBe(
      "TENANCY_CONFIG_UNREADABLE the config ~/nope.ts can't be read: there is no such file",
    );
    expect(await failure({ configPath: '.' })).toBe("TENANCY_CONFIG_UNREADABLE the config ~ can't be read: it is a directory, not a file");
  });
});
