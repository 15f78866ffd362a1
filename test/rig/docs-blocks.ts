/** A fenced block of Markdown. */
export interface DocsBlock {
  /** What stands after the fence: `bash`, `console`, `ts`. */
  readonly info: string;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
}

/** Finds the fenced blocks of a Markdown file, in their order. */
export function readBlocks(markdown: string): DocsBlock[] {
  const blocks: DocsBlock[] = [];
  let open: { info: string; fence: string; lines: string[]; line: number } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    const [, fence, info] = /^\s*(`{3,}|~{3,})\s*(.*)$/.exec(text) ?? [];
    if (open === undefined) {
      if (fence !== undefined) open = { info: (info ?? '').trim(), fence, lines: [], line: index + 1 };
    } else if (fence?.startsWith(open.fence) && info === '') {
      blocks.push({ info: open.info, text: open.lines.join('\n'), line: open.line });
      open = undefined;
    } else {
      open.lines.push(text);
    }
  }
  return blocks;
}

/** A block as a script that stops at the first line that does not exit as it should: with 0, or as `# exits 4` at its end says. */
export function toScript(block: DocsBlock): string {
  const lines = block.text.split('\n').map((line) => {
    const [, command, code] = /^(.*\S)\s+# exits (\d+)\b.*$/.exec(line) ?? [];
    if (command === undefined) return line;
    const words = `"line exits $status, not ${code}"`;
    return `status=0; { ${command}; } || status=$?; [ "$status" -eq ${code} ] || { echo ${words} >&2; exit 99; }`;
  });
  return `set -euo pipefail\n${lines.join('\n')}\n`;
}

/** Whether an output is what a `console` block shows, in which `…` stands for anything, alone on a line for any lines. */
export function matchesShown(shown: string, output: string): boolean {
  const lines = shown
    .trimEnd()
    .split('\n')
    .map((line) => {
      if (line.trim() === '…') return '(?:.*\\n)*?';
      const pieces = line
        .trimEnd()
        .split('…')
        .map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+'));
      return `${pieces.join('.*')}[ \\t]*\\n`;
    });
  return new RegExp(`^${lines.join('')}$`).test(`${output.trimEnd()}\n`);
}
