import { redact } from '../../util/redact.js';
import { stripSequences } from '../sanitize.js';

/** What XML 1.0 can't say in any way, not even as `&#1;`: a reader that meets one of them throws the whole report away. */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
const MARKS: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text between tags. Escape sequences are removed, secrets blanked, and what XML forbids is shown as `�`. */
export function escapeText(text: string): string {
  return redact(stripSequences(text))
    .replace(/\r\n?/g, '\n')
    .replace(FORBIDDEN, '\ufffd')
    .replace(/[&<>"]/g, (mark) => MARKS[mark] ?? mark);
}

/** The attributes of a tag, in their order, those that are undefined left out. Line breaks survive only as references. */
export function printAttributes(attributes: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}="${escapeText(String(value)).replace(/\n/g, '&#10;').replace(/\t/g, '&#9;')}"`)
    .join('');
}

/** As JUnit has times. */
export function toSeconds(ms: number): string {
  return (Math.max(0, ms) / 1000).toFixed(3);
}
