/** Statements whose body may hold semicolons. */
const ROUTINES = new Set(['PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'PACKAGE']);
/** Words behind which a statement of a body begins. */
const OPENERS = new Set(['', ';', 'BEGIN', 'THEN', 'ELSE', 'DO', 'LOOP', 'REPEAT', ':']);
const BLOCKS = new Set(['IF', 'CASE', 'LOOP', 'WHILE', 'REPEAT', 'FOR']);

/**
 * Follows BEGIN … END and the like through the body of a routine, trigger or event, or of MariaDB's blocks outside of one, so that bodies need no
 * DELIMITER. Fed with the words of one statement, in upper case.
 */
export interface BodyTracker {
  readonly isRoutine: boolean;
  /** How many blocks are open. */
  readonly depth: number;
  /** The offset of the outermost that is. */
  readonly openedAt: number;
  feed(word: string, next: string, offset: number): void;
}

export function createBodyTracker(): BodyTracker {
  let depth = 0;
  let openedAt = 0;
  let isCompound = false;
  let isRoutine = false;
  let previous = '';
  let count = 0;
  let first = '';
  let hasReturn = false;
  const open = (offset: number): void => {
    if (depth === 0) openedAt = offset;
    depth++;
  };

  /** IF and REPEAT are functions too, FOR is in cursors and triggers, and IF stands before EXISTS: there they open nothing. */
  function opens(word: string, next: string): boolean {
    if (previous === 'END' || previous === '.' || previous === '@' || previous === 'AS') return false;
    if (word === 'BEGIN') return isRoutine || depth > 0 || next === 'NOT';
    if (word === 'CASE' || word === 'WHILE' || word === 'LOOP') return true;
    if (next === 'EXISTS' || next === 'NOT') return depth > 0 && OPENERS.has(previous) && word === 'IF' && next === 'NOT';
    const isFirstOfBody = depth === 0 && !hasReturn && (previous === ')' || previous === 'ROW' || previous === 'DO');
    return depth > 0 || !isRoutine ? OPENERS.has(previous) : isFirstOfBody && word !== 'FOR';
  }

  return {
    get isRoutine() {
      return isRoutine;
    },
    get depth() {
      return depth;
    },
    get openedAt() {
      return openedAt;
    },
    feed: (word, next, offset) => {
      if (count === 0) {
        first = word;
        // MariaDB bears these by themselves; BEGIN alone begins a transaction.
        isCompound = (word === 'BEGIN' && next === 'NOT') || BLOCKS.has(word);
      }
      if (!isRoutine && count < 24 && ROUTINES.has(word) && (first === 'CREATE' || (first === 'ALTER' && word === 'EVENT' && count === 1)))
        isRoutine = true;
      if (word === 'RETURN') hasReturn = true;
      if (isRoutine || isCompound) {
        if (word === 'END' && depth > 0 && previous !== '.' && previous !== 'AS') depth--;
        else if ((word === 'BEGIN' || BLOCKS.has(word)) && opens(word, next)) open(offset);
      }
      previous = word;
      count++;
    },
  };
}
