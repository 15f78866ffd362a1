/**
 * Ids, labels and messages come from databases and from other people's programs: printed as they are, they could
 * move the cursor, hide a line or rename the window. Everything printed outside JSON passes through here.
 */

// C0 and C1 controls, DEL, and the marks that reorder text (a message could read backwards).
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const SEQUENCE = /\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;
const IS_PLAIN = /^[\u0020-\u007e]*$/;

/** Without what moves a cursor or colours a text. */
export function stripSequences(text: string): string {
  return text.replace(SEQUENCE, '');
}

/** One line: escape sequences removed, line breaks and tabs made spaces, other controls shown as `�`. */
export function sanitizeLine(text: string): string {
  if (IS_PLAIN.test(text)) return text;
  return text
    .replace(SEQUENCE, '')
    .replace(/[\r\n\t\u2028\u2029]+/g, ' ')
    .replace(UNSAFE, '\ufffd');
}

/** The same over several lines, which stay lines. */
export function sanitizeLines(text: string): readonly string[] {
  return text.replace(/\r\n?/g, '\n').replace(/\t/g, '  ').split('\n').map(sanitizeLine);
}
