import { readFile } from 'node:fs/promises';
import { SaxesParser } from 'saxes';

export interface JunitElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: JunitElement[];
  text: string;
}

export interface JunitTestcase {
  readonly name: string;
  readonly classname: string;
  readonly result: 'passed' | 'failure' | 'error' | 'skipped';
  readonly message: string | undefined;
  readonly type: string | undefined;
  readonly text: string;
}

export interface JunitSuite {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly testcases: readonly JunitTestcase[];
}

/**
 * Reads a report as a strict XML 1.0 parser does, and throws where GitLab, GitHub's reporters or Jenkins would stumble: counts that
 * aren't those of the cases, a case without a name, a class or a time, the same case twice.
 */
export async function readJunit(file: string): Promise<{ readonly name: string; readonly suites: readonly JunitSuite[] }> {
  const root = parse(await readFile(file, 'utf8'));
  if (root.name !== 'testsuites') throw new Error(`the root is ${root.name}`);
  const suites = root.children.map(toSuite);
  const all = suites.flatMap(({ testcases }) => testcases);
  expectCounts(root, all);
  return { name: root.attributes['name'] ?? '', suites };
}

export function parse(xml: string): JunitElement {
  const parser = new SaxesParser();
  const open: JunitElement[] = [];
  let root: JunitElement | undefined;
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    const element: JunitElement = { name, attributes: attributes as Record<string, string>, children: [], text: '' };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on('text', (text) => {
    const element = open.at(-1);
    if (element) element.text += text;
  });
  parser.on('closetag', () => void open.pop());
  parser.write(xml).close();
  if (root === undefined) throw new Error('there is no element');
  return root;
}

function toSuite(element: JunitElement): JunitSuite {
  if (element.name !== 'testsuite') throw new Error(`${element.name} where a testsuite is to be`);
  const properties = element.children.find(({ name }) => name === 'properties');
  const testcases = element.children.filter((child) => child !== properties).map(toTestcase);
  expectCounts(element, testcases);
  return {
    name: element.attributes['name'] ?? '',
    properties: Object.fromEntries((properties?.children ?? []).map(({ attributes: { name = '', value = '' } }) => [name, value])),
    testcases,
  };
}

function toTestcase(element: JunitElement): JunitTestcase {
  const { name = '', classname = '', time = '' } = element.attributes;
  if (element.name !== 'testcase' || name === '' || classname === '' || !/^\d+\.\d{3}$/.test(time)) {
    throw new Error(`no testcase: ${JSON.stringify(element)}`);
  }
  if (element.children.length > 1) throw new Error(`${name} ended in several ways`);
  const [child] = element.children;
  const result = (child?.name ?? 'passed') as JunitTestcase['result'];
  if (!['passed', 'failure', 'error', 'skipped'].includes(result)) throw new Error(`${name} ended as ${result}`);
  return { name, classname, result, message: child?.attributes['message'], type: child?.attributes['type'], text: child?.text ?? '' };
}

function expectCounts({ name, attributes }: JunitElement, testcases: readonly JunitTestcase[]): void {
  const count = (result: JunitTestcase['result']): number => testcases.filter((each) => each.result === result).length;
  const counted = { tests: testcases.length, failures: count('failure'), errors: count('error'), skipped: count('skipped') };
  for (const [attribute, expected] of Object.entries(counted)) {
    if (attributes[attribute] !== String(expected))
      throw new Error(`${name} says ${attribute}="${attributes[attribute]}", and has ${expected}`);
  }
  if (!/^\d+\.\d{3}$/.test(attributes['time'] ?? '')) throw new Error(`${name} took ${attributes['time']}`);
  const keys = new Set(testcases.map((each) => `${each.classname}/${each.name}`));
  if (keys.size !== testcases.length) throw new Error(`${name} has a case twice`);
}
