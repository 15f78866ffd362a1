import { once } from 'node:events';
import net from 'node:net';
import { inject } from 'vitest';

/** Asks the run's global set-up for something that all workers share. */
export async function askRig<Answer extends object>(wanted: string): Promise<Answer> {
  const socket = net.connect(inject('rigPort'), '127.0.0.1').setEncoding('utf8');
  let answer = '';
  socket.on('data', (text) => {
    answer += String(text);
  });
  socket.write(`${wanted}\n`);
  await once(socket, 'end');
  const { error, ...rest } = JSON.parse(answer) as Answer & { error?: string };
  if (error !== undefined) throw new Error(error);
  return rest as unknown as Answer;
}
