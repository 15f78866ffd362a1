import { expect, test } from 'vitest';
import { normaliseOutput } from './cli.js';
import { createProject } from './project.js';

test('a project runs the built command line', async () => {
  const project = await createProject();
  const { exitCode, stderr } = await project.run(['--help']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  await project.remove();
});

test('what differs from run to run is taken out of an output', () => {
  const text = 'acme  1.2 s  2026-01-02T03:04:05.678Z  postgres://u@127.0.0.1:5432/t_0123456789 {"ms":12}';
  expect(normaliseOutput(text)).toBe('acme  <time>  <when>  postgres://u@127.0.0.1:<port>/<database> {"ms":<ms>}');
});
