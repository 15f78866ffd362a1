import { CommandError } from './errors.js';
import { type Document, isDocument, isNumber, isTruthy, numberOr } from './values.js';

/** https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point */
interface FailPoint {
  readonly data: Document;
  skip: number;
  /** Infinity: until it is put off. */
  times: number;
}

const known = ['failCommand', 'maxTimeAlwaysTimeOut'];

export class FailPoints {
  readonly #points: Map<string, FailPoint> = new Map();

  configure(command: Document): void {
    const name = String(command['configureFailPoint']);
    if (!known.includes(name)) throw new CommandError(238, `the fail point ${name} is not implemented`);
    const mode = command['mode'];
    const data = isDocument(command['data']) ? command['data'] : {};
    if (mode === 'off') this.#points.delete(name);
    else if (mode === 'alwaysOn') this.#points.set(name, { data, skip: 0, times: Number.POSITIVE_INFINITY });
    else if (isDocument(mode) && isNumber(mode['times'])) this.#points.set(name, { data, skip: 0, times: numberOr(mode['times'], 0) });
    else if (isDocument(mode) && isNumber(mode['skip']))
      this.#points.set(name, { data, skip: numberOr(mode['skip'], 0), times: Number.POSITIVE_INFINITY });
    else throw new CommandError(9, 'a mode is off, alwaysOn, {times: N} or {skip: N}');
  }

  isTimeOutForced(): boolean {
    return this.#take('maxTimeAlwaysTimeOut', () => true) !== null;
  }

  /** What is to go wrong with this command; counts it. */
  takeFor(commandName: string, appName: string | null): Document | null {
    if (commandName === 'configureFailPoint') return null;
    return this.#take('failCommand', (data) => {
      const names = Array.isArray(data['failCommands']) ? data['failCommands'] : [];
      const isInternal = isTruthy(data['failInternalCommands']);
      return !isInternal && names.includes(commandName) && (data['appName'] === undefined || data['appName'] === appName);
    });
  }

  #take(name: string, isMeant: (data: Document) => boolean): Document | null {
    const point = this.#points.get(name);
    if (point === undefined || !isMeant(point.data)) return null;
    if (point.skip > 0) {
      point.skip -= 1;
      return null;
    }
    point.times -= 1;
    if (point.times <= 0) this.#points.delete(name);
    return point.data;
  }
}
