import { tryPort } from './machine.js';

/** Below the range from which systems serve outgoing connections, so that a port stays ours between two starts. */
const [LOWEST, HIGHEST] = [17_000, 32_000];

/** A free port of 127.0.0.1, `preferred` where that is free. Another process may take it before it is used. */
export async function pickPort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await tryPort(preferred)) !== undefined) return preferred;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const port = await tryPort(LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST)));
    if (port !== undefined) return port;
  }
  return (await tryPort(0)) ?? LOWEST;
}
